import { setImmediate } from 'node:timers/promises';
import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { FerryError, invalidField } from '../domain/errors.js';
import type { ApiEnv } from './deps.js';

/** What a route takes of a body that is held in memory. */
export interface BodyMax {
  readonly bytes: number;
  /** Of JSON: items, lists, objects and members. Each costs far more than its bytes when it is parsed and checked. */
  readonly values: number;
  readonly members: number;
}

/** Enough for every route that takes no list of devices. */
export const SMALL_BODY: BodyMax = { bytes: 256 * 1_024, values: 2_000, members: 200 };

/** Nested lists and objects; ours have three levels. */
const DEPTH_MAX = 16;
/** What is larger is checked in a turn of its own. */
const TURN_BYTES = 256 * 1_024;

/**
 * Refuses a body before anything parses it, when its parsing alone could hold up everything else.
 *
 * @param mediaTypes that the route takes
 */
export function boundBody(max: BodyMax, mediaTypes: readonly string[]): MiddlewareHandler<ApiEnv> {
  const limit = bodyLimit({
    maxSize: max.bytes,
    onError: () => {
      throw new FerryError('request-too-large', `The body has more than ${max.bytes} bytes.`);
    },
  });
  return (c, next) => {
    requireUncompressed(c);
    requireMediaType(c, mediaTypes);
    // The validators take fewer spellings of its parameters than RFC 9110, 5.6.6 allows; no route reads them.
    if (c.req.header('content-type') !== undefined) c.req.raw.headers.set('content-type', mediaTypeOf(c));
    return limit(c, async () => {
      if (mediaTypeOf(c) !== 'text/csv') {
        const bytes = new Uint8Array(await c.req.arrayBuffer());
        requireFewValues(bytes, max);
        if (bytes.length > TURN_BYTES) await setImmediate();
      }
      await next();
    });
  };
}

/** @throws FerryError `unsupported-media-type`: read as if it was plain, a compressed body would be called malformed */
export const requireUncompressed = (c: Context<ApiEnv>): void => {
  const encoding = c.req.header('content-encoding');
  if (encoding === undefined || /^\s*(identity)?\s*$/i.test(encoding)) return;
  const message = `Content-Encoding: ${encoding.slice(0, 64)} is not taken; send the body as it is, without the header.`;
  throw new FerryError('unsupported-media-type', message);
};

export const mediaTypeOf = (c: Context<ApiEnv>): string =>
  (c.req.header('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';

function requireMediaType(c: Context<ApiEnv>, taken: readonly string[]): void {
  const given = mediaTypeOf(c);
  if (taken.includes(given) || !hasBody(c)) return;
  if (taken.includes('application/json') && /^application\/[a-z.-]+\+json$/.test(given)) return;
  const wanted = taken.join(' or ');
  throw new FerryError(
    'unsupported-media-type',
    given === ''
      ? `Content-Type: is missing; send the header "Content-Type: ${wanted}".`
      : `Content-Type: ${given.slice(0, 64)} is not taken; send ${wanted}, and name it in this header.`,
  );
}

function hasBody(c: Context<ApiEnv>): boolean {
  const length = c.req.header('content-length');
  if (length !== undefined) return length !== '0';
  if (c.req.header('transfer-encoding') !== undefined) return true;
  // Over a socket, one of the two headers says so.
  return (c.env as ApiEnv['Bindings'] | undefined)?.incoming === undefined && c.req.raw.body !== null;
}

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
/** `[` and `{`, `]` and `}` differ in one bit. */
const [OPENING, CLOSING, CURLY] = [0x7b, 0x7d, 0x20];

/** Counts what is between strings; whether it is JSON is seen when it is parsed. */
function requireFewValues(json: Uint8Array, max: BodyMax): void {
  let [values, members, depth] = [0, 0, 0];
  for (let at = 0; at < json.length; at++) {
    const byte = json[at] as number;
    if (byte === QUOTE) at = endOfString(json, at);
    else if (byte === COMMA) values++;
    else if (byte === COLON) members++;
    else if ((byte | CURLY) === OPENING) {
      values++;
      depth++;
    } else if ((byte | CURLY) === CLOSING) depth--;
    else continue;
    if (values > max.values) throw invalidField('body', `must have at most ${max.values} values in all`);
    if (members > max.members) throw invalidField('body', `must have at most ${max.members} members in all`);
    if (depth > DEPTH_MAX) throw invalidField('body', `must have at most ${DEPTH_MAX} levels of lists and objects`);
  }
}

function endOfString(json: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1;
  return at;
}
