import { isIPv6 } from 'node:net';

/** The rules of addresses that come from the environment. Each answers the broken rule as a sentence, or undefined. */

/** The shortest spelling, by which `0`, `::0` and `0.0.0.0` are known for what they are. */
function canonical(host: string): string {
  const url = `http://${host.includes(':') ? `[${host}]` : host}/`;
  return URL.canParse(url) ? new URL(url).hostname : host;
}

export const isLoopback = (host: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(canonical(host));

const WILDCARDS = ['0.0.0.0', '[::]', '[::ffff:0:0]'];
export const isWildcard = (host: string): boolean => WILDCARDS.includes(canonical(host));

/** An address to listen on, or a name of one. IPv6 may stand in the brackets that URLs have around it. */
export function hostProblem(text: string): string | undefined {
  const [, inBrackets] = /^\[(.*)\]$/.exec(text) ?? [];
  const host = inBrackets ?? text;
  if (host.includes('%')) {
    return 'must not have a zone such as %eth0, which no URL can carry: use an address of the machine that has none';
  }
  if (isIPv6(host)) return undefined;
  if (inBrackets === undefined && /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$/.test(host)) return undefined;
  return 'must be an address or a name such as 127.0.0.1, ::1 or ferry.example, without a scheme and a port';
}

/** Where the service or a page is reached. Paths are appended to it. */
export function serviceUrlProblem(text: string): string | undefined {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return 'must be an http:// or https:// URL';
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return 'must not have a user name or a password';
  if (text.includes('?') || text.includes('#')) return 'must not have a query or a fragment: paths are appended to it';
  if (!/^(\/[A-Za-z0-9._~-]+)*\/*$/.test(url.pathname)) {
    return 'must have a path of letters, digits and . _ ~ - only, such as /ferry';
  }
  if (isWildcard(url.hostname.replace(/^\[(.*)\]$/, '$1'))) {
    return `must name an address that others can reach, which ${url.hostname} is not`;
  }
  if (url.port === '0') return 'must have a port from 1 to 65535, or none';
  return undefined;
}

/** First parts of the paths that the service itself has: a proxy that takes its own path away could mean either. */
const OWN_PATHS = /^\/(v1|files|docs|assets|openapi\.json|healthz|readyz|metrics|sign-in|firmware|tasks|devices)(\/|$)/;

/** What a proxy, or the service itself, is reached by. */
export const publicUrlProblem = (text: string): string | undefined =>
  serviceUrlProblem(text) ??
  (OWN_PATHS.test(new URL(text).pathname)
    ? 'must not have a path that begins like one of the service, such as /v1 or /files'
    : undefined);

/** As it is put before paths: `https://Host/ferry/` is `https://host/ferry`. */
export const serviceUrl = (text: string): string => new URL(text).href.replace(/\/+$/, '');

/** Of an outside Temporal, as its SDK takes it. */
export function temporalAddressProblem(text: string): string | undefined {
  const found = /^(?:\[([^\]]*)\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(text) as [string, string?, string?] | null;
  const [, ipv6, port] = found ?? [];
  const hasPort = port === undefined || (Number(port) > 0 && Number(port) <= 65_535);
  const isAddress = found !== null && hasPort && (ipv6 === undefined || isIPv6(ipv6));
  return isAddress ? undefined : 'must be a host and a port such as temporal.example:7233, without a scheme';
}
