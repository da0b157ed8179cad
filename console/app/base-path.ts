/** Below which path of its host the service is reached, such as `/ferry`; empty where it has the host for itself. */
export const BASE_PATH = ((): string => {
  const content = document.querySelector<HTMLMetaElement>('meta[name="ferry-base"]')?.content ?? '';
  // The development server leaves the mark in the page as it is.
  return content.startsWith('/') ? content : '';
})();

/**
 * Where a page is to be gone to before it is shown: who comes past the proxy, to the service's own port, is at a path that
 * no page of the console has, and so is who leaves the last slash out.
 *
 * @returns undefined where the address is right
 */
export function rightAddress({ pathname, search, hash }: Pick<Location, 'pathname' | 'search' | 'hash'>) {
  if (pathname.startsWith(`${BASE_PATH}/`)) return undefined;
  return `${BASE_PATH}${pathname === BASE_PATH ? '/' : pathname}${search}${hash}`;
}
