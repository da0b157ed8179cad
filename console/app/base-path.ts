/** Below which path of its host the service is reached, such as `/ferry`; empty where it has the host for itself. */
export const BASE_PATH = ((): string => {
  const content = document.querySelector<HTMLMetaElement>('meta[name="ferry-base"]')?.content ?? '';
  // The development server leaves the mark in the page as it is.
  return content.startsWith('/') ? content : '';
})();

/** Who comes past the proxy, to the service's own port, is at a path that no page of the console has. */
export const isBelowBase = (path: string): boolean => path === BASE_PATH || path.startsWith(`${BASE_PATH}/`);
