/** The nonce of the page's answer. Browsers hide it from selectors; the element itself has it. */
export const pageNonce = (): string => document.querySelector<HTMLElement>('[property="csp-nonce"]')?.nonce ?? '';

/**
 * Gives every style that a script makes the page's nonce. The component library takes the nonce as a setting, but two
 * of its helpers (scroll locks of dialogs, the width of scrollbars) don't, and the policy would refuse their styles.
 */
export function giveStylesTheNonce(): void {
  const nonce = pageNonce();
  const create = document.createElement.bind(document) as (
    name: string,
    options?: ElementCreationOptions,
  ) => HTMLElement;
  document.createElement = ((name: string, options?: ElementCreationOptions) => {
    const element = create(name, options);
    if (element instanceof HTMLStyleElement) element.nonce = nonce;
    return element;
  }) as typeof document.createElement;
}
