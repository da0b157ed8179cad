/*
 * A proxy may show the service below a path of its own, such as `/ferry`. Some proxies take that path away from what they
 * pass on, others pass it on as it came: both are understood, so that neither needs a setting.
 */

/** The path of a public URL, without a slash at its end; empty where there is none. */
export const basePathOf = (publicUrl: string | undefined): string =>
  publicUrl === undefined ? '' : new URL(publicUrl).pathname.replace(/\/+$/, '');

/** What a request asks for below the base path; as it is where it does not begin with that. */
export function belowBase(url: string, basePath: string): string {
  if (basePath === '' || !url.startsWith(basePath)) return url;
  const rest = url.slice(basePath.length);
  if (rest.startsWith('/')) return rest;
  return rest === '' || rest.startsWith('?') ? `/${rest}` : url;
}
