/** What keeps an answer of the API away, as far as it can be told. A browser does not tell it. */
export type NoAnswerReason =
  | 'refused' // nothing listens there
  | 'unknown-host'
  | 'certificate' // nobody that is trusted vouches for it
  | 'plain-http' // TLS was asked of a port that does not speak it
  | 'not-http' // something listens, and answers in another protocol
  | 'out-of-reach' // no way to the host, or none within the time
  | 'forbidden-port' // fetch asks no port that belongs to another protocol
  | 'redirect'
  | 'not-ferry' // it answers, as another server does
  | 'unknown';

/** The API could not be reached at all, or something else answers at its address. */
export class ApiUnreachableError extends Error {
  override readonly name = 'ApiUnreachableError';
  readonly reason: NoAnswerReason;

  constructor(message: string, options: ErrorOptions & { readonly reason?: NoAnswerReason } = {}) {
    super(message, options);
    this.reason = options.reason ?? 'unknown';
  }
}

/** Of a request that failed before there was an answer. */
export function noAnswer({ origin, protocol, hostname, port }: URL, error: unknown): ApiUnreachableError {
  const code = codeOf(error);
  const [reason, sentence] = explained(code, error, { isTls: protocol === 'https:', hostname, port });
  const why =
    reason === 'unknown' ? 'is Ferry running there?' : `${sentence}${code === undefined ? '' : ` (${code})`}.`;
  return new ApiUnreachableError(`No answer from ${origin}: ${why}`, { cause: error, reason });
}

interface Asked {
  readonly isTls: boolean;
  readonly hostname: string;
  readonly port: string;
}

const CERTIFICATE = /CERT|SIGNATURE|ISSUER|HOSTNAME_MISMATCH|SELF_SIGNED|CRL|INVALID_CA|PATH_LENGTH/;
const OUT_OF_REACH = /TIMEOUT|TIMEDOUT|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN|EADDRNOTAVAIL/;
const CLOSED = /^(ECONNRESET|EPIPE|UND_ERR_SOCKET|HPE_.*|ERR_SSL_.*|EPROTO)$/;

function explained(code = '', error: unknown, { isTls, hostname, port }: Asked): [NoAnswerReason, string] {
  if (code === 'ECONNREFUSED') return ['refused', 'nothing listens there'];
  if (/^(ENOTFOUND|EAI_\w+)$/.test(code)) return ['unknown-host', `the host name ${hostname} is not found`];
  if (isTls && CERTIFICATE.test(code)) return ['certificate', certificateProblem(code)];
  if (isTls && /WRONG_VERSION_NUMBER|PACKET_LENGTH|HTTP_REQUEST/.test(code)) {
    return ['plain-http', 'that port does not speak TLS'];
  }
  if (CLOSED.test(code)) {
    const sentence = isTls
      ? 'the TLS connection was broken off'
      : 'something listens there, but it does not speak HTTP';
    return ['not-http', sentence];
  }
  if (OUT_OF_REACH.test(code)) return ['out-of-reach', 'the host does not answer in time, or there is no way to it'];
  if (messagesOf(error).includes('bad port')) {
    return ['forbidden-port', `port ${port} belongs to another protocol, so that it is never asked for HTTP`];
  }
  return ['unknown', ''];
}

function certificateProblem(code: string): string {
  if (code === 'CERT_HAS_EXPIRED') return 'its certificate has expired';
  if (code === 'CERT_NOT_YET_VALID') return 'its certificate is not valid yet';
  if (/ALTNAME|HOSTNAME/.test(code)) return 'its certificate is for another name';
  return 'its certificate is not trusted';
}

/** An error and what caused it; of several addresses that were tried, the first. */
function* chainOf(error: unknown): Generator<Error> {
  for (let one: unknown = error; one instanceof Error;) {
    yield one;
    const errors: unknown = 'errors' in one ? one.errors : undefined;
    one = one.cause ?? (Array.isArray(errors) ? errors[0] : undefined);
  }
}

function codeOf(error: unknown): string | undefined {
  for (const one of chainOf(error)) if ('code' in one && typeof one.code === 'string') return one.code;
  return undefined;
}

const messagesOf = (error: unknown): string[] => Array.from(chainOf(error), ({ message }) => message);

/**
 * A redirect is not followed: what came over plain HTTP would lose its token on the way to https, and a POST would become
 * a GET.
 */
export function redirected(target: URL, response: Response): ApiUnreachableError | undefined {
  if (response.type === 'opaqueredirect') return redirectTo(target, 'another address');
  const location = response.headers.get('location');
  if (response.status < 300 || response.status > 399 || location === null || !URL.canParse(location, target.href)) {
    return undefined;
  }
  const to = new URL(location, target);
  const asked = `${target.pathname}${target.search}`;
  const whole = `${to.origin}${to.pathname}${to.search}`;
  // The address that the same request would reach, where the redirect keeps its path.
  const address = whole.endsWith(asked) ? whole.slice(0, -asked.length) : whole;
  return redirectTo(target, address);
}

const redirectTo = ({ origin }: URL, address: string): ApiUnreachableError =>
  new ApiUnreachableError(`${origin} answers with a redirect to ${address}.`, { reason: 'redirect' });

/** Of an answer that is not in the form in which Ferry answers. */
export function notFerry(target: Pick<URL, 'origin'>, what: string): ApiUnreachableError {
  return new ApiUnreachableError(`Something answers at ${target.origin}, but not as Ferry does: ${what}.`, {
    reason: 'not-ferry',
  });
}
