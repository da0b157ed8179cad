import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import parseRange from 'range-parser';
import { RecentMap } from '../domain/recent-map.js';
import { FerryError, notFound } from '../domain/errors.js';
import { offerOf } from '../domain/offer.js';
import { DOWNLOAD_PATH, type DownloadTokens } from '../firmware/download-token.js';
import { damaged, type ByteRange, type FirmwareStore } from '../firmware/store.js';
import type { OpenDeviceUpdate, Records, TargetFirmware } from '../records/records.js';
import type { ApiLog } from './deps.js';
import { DownloadLimit, DOWNLOADS_PER_MINUTE } from './download-limit.js';
import type { MeasureRequest } from './metrics.js';
import { internalProblem, problemOf } from './problem.js';

export interface DownloadDeps {
  readonly records: Pick<Records, 'getDeviceUpdateById' | 'downloading'>;
  readonly store: Pick<FirmwareStore, 'read'>;
  readonly tokens: Pick<DownloadTokens, 'read'>;
  /** How many times its size one device update may fetch of its firmware in a minute. */
  readonly perMinute?: number;
  /** How often a download that runs asks whether it may go on. */
  readonly askEveryMs?: number;
  readonly log: ApiLog;
  readonly measure?: MeasureRequest;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/** An operator's request to stop is accepted at any time, and a slow device's download may last for hours. */
const ASK_EVERY_MS = 1_000;

/** Answers a download; false when the request is for something else. */
export type DownloadHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * The devices' firmware downloads: `GET` and `HEAD /files/<token>`, on Node's own response, since C devices look for the
 * letters `Content-Length` and the Fetch API's headers are lower-case [protocol: download].
 */
export function createDownloadHandler(deps: DownloadDeps): DownloadHandler {
  const limit = new DownloadLimit(deps.perMinute ?? DOWNLOADS_PER_MINUTE);
  const note = downloadNotes(deps);
  return (request, response) => {
    const path = decoded((request.url ?? '').split('?', 1)[0] ?? '');
    if (!path.startsWith(DOWNLOAD_PATH)) return false;
    const startedMs = performance.now();
    response.once('close', () => {
      const method = request.method === 'GET' || request.method === 'HEAD' ? request.method : 'other';
      const durationMs = performance.now() - startedMs;
      deps.measure?.({ method, route: '/files/:token', status: response.statusCode, durationMs });
    });
    void answer({ ...deps, limit, note }, path.slice(DOWNLOAD_PATH.length), { request, response });
    return true;
  };
}

/** A client may encode letters that need no encoding. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

interface LimitedDeps extends DownloadDeps {
  readonly limit: DownloadLimit;
  readonly note: (updateId: number) => void;
}

const NOTED_EVERY_MS = 60_000;
/** Device updates of which it is known when their download was last noted. */
const NOTED_MAX = 20_000;

/**
 * Notes in the records that a device is being sent its firmware, once a minute at most: a slow download is a sign of
 * life. It is no more than that, so a note that can't be written does not stop the download.
 */
function downloadNotes({ records, log, now = Date.now }: DownloadDeps): (updateId: number) => void {
  const notedAtMs = new RecentMap<number, number>(NOTED_MAX);
  return (updateId) => {
    const atMs = now();
    const before = notedAtMs.get(updateId);
    if (before !== undefined && atMs >= before && atMs < before + NOTED_EVERY_MS) return;
    notedAtMs.set(updateId, atMs);
    records.downloading(updateId, atMs).catch((err: unknown) => log.warn({ err }, 'a download could not be noted'));
  };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

async function answer(deps: LimitedDeps, token: string, exchange: Exchange): Promise<void> {
  const { request, response } = exchange;
  try {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new FerryError('method-not-allowed', `${request.method ?? ''} is not allowed here. Use GET, HEAD.`);
    }
    const { record, firmware } = await updateFor(deps, token);
    await send(deps, firmware, {
      ...exchange,
      asked: (part) => requireUnhurried(deps, { id: record.id, part }, response),
      begins: () => cutWhenStopped(deps, record.id, response),
      sent: () => deps.note(record.id),
    });
  } catch (error) {
    if (response.headersSent || response.destroyed) {
      // The connection is all that can still be told from a whole file: the device goes on with a Range.
      response.destroy();
      if (!isGone(error)) deps.log.warn({ err: error }, 'download broke off');
      return;
    }
    // The path holds a token: it is not for the log.
    sendProblem(
      error instanceof FerryError
        ? error
        : internalProblem(error, `${request.method ?? ''} ${DOWNLOAD_PATH}…`, deps.log),
      exchange,
    );
  }
}

/** Forged, expired, foreign, ended, stopped and a revoked device's look the same from outside. */
async function updateFor({ tokens, records, now = Date.now }: DownloadDeps, token: string): Promise<OpenDeviceUpdate> {
  const id = tokens.read(token, ANY_TIME_MS);
  const update = id === undefined ? undefined : await records.getDeviceUpdateById(id);
  const offer = update && offerOf(update);
  // The device may try again: the file is served as soon as it is well.
  if (offer?.kind === 'held' && offer.by === 'file-damaged') throw damaged('corrupt');
  if (!update || offer?.kind !== 'given') throw notFound('This download');
  // A device that has begun may leave for hours and go on with the same URL.
  const isExpired = tokens.read(token, now()) === undefined;
  if (isExpired && update.record.startedAtMs === null) throw notFound('This download');
  return update;
}

/** No token has expired by then. */
const ANY_TIME_MS = 0;

/**
 * Ends the connection as soon as the update is stopped: a whole file is never what a stopped device has in hand.
 *
 * @returns what ends the looking
 */
function cutWhenStopped(
  { records, log, askEveryMs = ASK_EVERY_MS }: DownloadDeps,
  id: number,
  response: ServerResponse,
): () => void {
  const ask = async () => {
    const update = await records.getDeviceUpdateById(id);
    const kind = update ? offerOf(update).kind : 'cancelled';
    if (kind === 'cancelled' || kind === 'revoked' || kind === 'held') response.destroy();
  };
  const timer = setInterval(() => {
    ask().catch((error: unknown) => log.warn({ err: error }, 'a running download could not be looked at'));
  }, askEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** @throws FerryError `too-many-requests` */
function requireUnhurried(
  { limit, now = Date.now }: LimitedDeps,
  { id, part }: { readonly id: number; readonly part: number },
  response: ServerResponse,
): void {
  const seconds = limit.waitSeconds(id, part, now());
  if (seconds === 0) return;
  response.setHeader('Retry-After', seconds);
  throw new FerryError(
    'too-many-requests',
    `The firmware was asked for too many times over; try again in ${seconds} s.`,
  );
}

interface Sending extends Exchange {
  /** Before anything is sent. @param part of the file that is asked for */
  readonly asked: (part: number) => void;
  /** The first byte is about to be sent. @returns what is called when nothing more is sent */
  readonly begins: () => () => void;
  /** After each piece that the connection has taken. */
  readonly sent: () => void;
}

async function send(
  { store }: DownloadDeps,
  firmware: TargetFirmware,
  { request, response, asked, begins, sent }: Sending,
): Promise<void> {
  const { sizeBytes, sha256 } = firmware;
  const etag = `"${sha256}"`;
  // A proxy that compresses would take away the length and the ranges, which devices need.
  const shared = { ETag: etag, 'Accept-Ranges': 'bytes', 'Cache-Control': 'private, no-transform' };
  if (names(request.headers['if-none-match'], etag)) {
    asked(0);
    response.writeHead(304, shared).end();
    return;
  }
  const range = rangeOf(request, sizeBytes, etag);
  if (range === 'unsatisfiable') {
    asked(0);
    response.writeHead(416, { ...shared, 'Content-Range': `bytes */${sizeBytes}`, 'Content-Length': 0 }).end();
    return;
  }
  const head = { ...shared, 'Content-Type': 'application/octet-stream', 'X-Content-Type-Options': 'nosniff' };
  const { start, end } = range ?? { start: 0, end: sizeBytes - 1 };
  asked(request.method === 'HEAD' ? 0 : (end - start + 1) / sizeBytes);
  // Opened before the head is sent: a missing file is still a plain problem.
  const file = request.method === 'HEAD' ? undefined : await store.read(sha256, { start, end });
  // The client may have left meanwhile: its connection has told so already, and does not tell it again.
  if (response.destroyed) {
    file?.destroy();
    return;
  }
  if (range) {
    const contentRange = `bytes ${start}-${end}/${sizeBytes}`;
    response.writeHead(206, { 'Content-Length': end - start + 1, 'Content-Range': contentRange, ...head });
  } else {
    response.writeHead(200, { 'Content-Length': sizeBytes, ...head });
  }
  if (!file) {
    response.end();
    return;
  }
  const ends = begins();
  try {
    await pipeline(file, (pieces: AsyncIterable<Buffer>) => noting(pieces, sent), response);
  } finally {
    ends();
  }
}

/** The next piece is asked for when the connection has room for it. */
async function* noting(pieces: AsyncIterable<Buffer>, sent: () => void): AsyncGenerator<Buffer> {
  for await (const piece of pieces) {
    yield piece;
    sent();
  }
}

/**
 * The one range that is asked for; undefined for the whole file. Malformed and multiple ranges may be ignored, and a range
 * means something to GET only [RFC 9110 14.2].
 */
function rangeOf(
  { headers, method }: IncomingMessage,
  sizeBytes: number,
  etag: string,
): ByteRange | 'unsatisfiable' | undefined {
  const ifRange = headers['if-range'];
  if (method !== 'GET' || headers.range === undefined || (ifRange !== undefined && ifRange !== etag)) return undefined;
  const ranges = parseRange(sizeBytes, wholeSuffix(headers.range.toLowerCase(), sizeBytes), { combine: true });
  if (ranges === -1) return 'unsatisfiable';
  if (ranges === -2 || ranges.type !== 'bytes' || ranges.length !== 1) return undefined;
  return ranges[0];
}

/** A suffix longer than the file means all of it [RFC 9110 14.1.2]; the parser takes it for unsatisfiable. */
function wholeSuffix(range: string, sizeBytes: number): string {
  const [, suffix] = /^bytes=-(\d+)$/.exec(range) ?? [];
  return suffix !== undefined && Number(suffix) > sizeBytes ? `bytes=-${sizeBytes}` : range;
}

const names = (list: string | undefined, etag: string): boolean =>
  list !== undefined && list.split(',').some((one) => ['*', etag].includes(one.trim().replace(/^W\//, '')));

function sendProblem(refusal: FerryError, { request, response }: Exchange): void {
  const problem = problemOf(refusal);
  const body = JSON.stringify(problem);
  response.writeHead(problem.status, {
    'Content-Length': Buffer.byteLength(body),
    'Content-Type': 'application/problem+json',
    ...(refusal.code === 'method-not-allowed' && { Allow: 'GET, HEAD' }),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** The client closed its connection: devices do, and come back. */
const isGone = (error: unknown): boolean =>
  ['ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET', 'EPIPE'].includes((error as { code?: string }).code ?? '');
