/** The nonce of the page's answer. Browsers hide it from selectors; the element itself has it. */
export const pageNonce = (): string => document.querySelector<HTMLElement>('[property="csp-nonce"]')?.nonce ?? '';

/**
 * Gives every style that a script makes the page's nonce. The component library takes the nonce as a setting, but two
 * of its helpers (scroll locks of dialogs, the width of scrollbars) don't, and the policy would refuse their styles.
 */
export function giveStylesTheNonce(): void {
  const nonce = pageNonce();
  type Create = (name: string, options?: ElementCreationOptions) => HTMLElement;
  const create: unknown = Reflect.get(document, 'createElement');
  Reflect.set(document, 'createElement', (...args: Parameters<Create>) => {
    const element = (create as Create).apply(document, args);
    if (element instanceof HTMLStyleElement) element.nonce = nonce;
    return element;
  });
}
