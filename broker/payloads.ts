import { DEFAULT_MODULE, isModule, isVersion } from '../domain/names.js';
import type { DigestMethod, Firmware } from '../records/records.js';

/*
 * The JSON of the devices' protocol, both directions. Everything a device sends is untrusted: a parser answers
 * undefined for what it can't accept, and never throws.
 */

/** A longer URL crashes a C device [protocol: the notification]. */
export const URL_CHARACTERS_MAX = 254;
const NOTIFICATION_BYTES_MAX = 10 * 1024;
/** What a device may add to a failure, as far as it is kept. */
const DESCRIPTION_CHARACTERS_MAX = 200;
const ID_CHARACTERS_MAX = 64;

type Json = Readonly<Record<string, unknown>>;

// ── upwards ─────────────────────────────────────────────────────────────────────────────────────

export interface VersionReport {
  readonly module: string;
  readonly version: string;
}

export interface ProgressReport {
  /** Null when the device named none: then it is about whatever update is under way. */
  readonly module: string | null;
  /** 0 to 100 percent; -1 to -4 are failures. */
  readonly step: number;
  readonly description: string;
}

/** A device's question for its update. */
export interface FirmwareQuery {
  readonly id: string | number;
  readonly module: string;
}

/** [protocol: inform] `{"id":1,"params":{"version":"1.0.0","module":"MCU"}}` */
export function parseVersionReport(payload: Uint8Array): VersionReport | undefined {
  const params = paramsOf(parseJson(payload));
  const module = parseModule(params?.module);
  const version = params?.version;
  if (module === undefined || typeof version !== 'string' || !isVersion(version)) return undefined;
  if (version.includes('\uFFFD')) return undefined; // was no UTF-8
  return { module: module ?? DEFAULT_MODULE, version };
}

/** [protocol: progress] `{"id":2,"params":{"step":"40","desc":"","module":"MCU"}}` */
export function parseProgressReport(payload: Uint8Array): ProgressReport | undefined {
  const params = paramsOf(parseJson(payload));
  const module = parseModule(params?.module);
  const step = parseStep(params?.step);
  if (module === undefined || step === undefined) return undefined;
  return { module, step, description: parseDescription(params?.desc) };
}

/**
 * [protocol: query] `{"id":"2","version":"1.0","params":{"module":"MCU"}}`, and the older form
 * `{"id":2,"params":{"version":"1.0.0"}}`. An answer, which shares the older form's topic, is no question.
 */
export function parseFirmwareQuery(payload: Uint8Array): FirmwareQuery | undefined {
  const json = parseJson(payload);
  if (!json || 'code' in json || 'data' in json) return undefined;
  const module = parseModule(paramsOf(json)?.module);
  return module === undefined ? undefined : { id: parseId(json.id) ?? '0', module: module ?? DEFAULT_MODULE };
}

/** [protocol: NTP] the device's own clock, echoed as it came. */
export function parseClockQuery(payload: Uint8Array): { readonly deviceSendTime: string | number } | undefined {
  const deviceSendTime = parseId(parseJson(payload)?.deviceSendTime);
  return deviceSendTime === undefined ? undefined : { deviceSendTime };
}

/** A message to another service of the vendor's platform: its id when it waits for an answer, else null. */
export function parsePlatformMessage(payload: Uint8Array): { readonly replyTo: string | number | null } | undefined {
  const json = parseJson(payload);
  if (!json) return undefined;
  const declined = isObject(json.sys) && json.sys.ack === 0;
  return { replyTo: declined ? null : (parseId(json.id) ?? null) };
}

function parseJson(payload: Uint8Array): Json | undefined {
  const text = textOf(payload);
  const json = tryParse(text) ?? tryParse(text.replace(/,(?=\s*[}\]])/g, '')); // trailing commas [protocol: query]
  return isObject(json) ? json : undefined;
}

/** Without the string's end, which C devices send with it. By hand: the pattern `\0+$` takes the square of the length. */
function textOf(payload: Uint8Array): string {
  const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(payload);
  let end = bytes.length;
  while (bytes[end - 1] === 0) end--;
  return bytes.toString('utf8', 0, end);
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const paramsOf = (json: Json | undefined): Json | undefined =>
  json && isObject(json.params) ? json.params : undefined;

/** The module's name; null when none is named; undefined when it is malformed. */
function parseModule(value: unknown): string | null | undefined {
  if (value === undefined || value === null || value === '') return null;
  return typeof value === 'string' && isModule(value) ? value : undefined;
}

function parseStep(value: unknown): number | undefined {
  const step = typeof value === 'string' && /^\s*-?\d{1,3}\s*$/.test(value) ? Number(value) : value;
  return typeof step === 'number' && Number.isInteger(step) && step >= -4 && step <= 100 ? step + 0 : undefined;
}

function parseDescription(value: unknown): string {
  if (typeof value !== 'string' || value === '') return '';
  const printable = value.replace(/\p{C}+/gu, ' ').trim();
  return Array.from(printable).slice(0, DESCRIPTION_CHARACTERS_MAX).join('');
}

function parseId(value: unknown): string | number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  return typeof value === 'string' && value.length <= ID_CHARACTERS_MAX ? value : undefined;
}

// ── downwards ───────────────────────────────────────────────────────────────────────────────────

export type NotifiedFirmware = Pick<Firmware, 'sizeBytes' | 'sign' | 'signMethod' | 'version' | 'module'> &
  Partial<Pick<Firmware, 'sha256' | 'signature' | 'signatureKeyId'>>;

/** `MD5` breaks two SDKs [protocol: the notification]. */
const WIRE_SIGN_METHODS: Readonly<Record<DigestMethod, string>> = { MD5: 'Md5', SHA256: 'SHA256' };

/**
 * The update notification: compact, its keys in this order, `code` a string and `id` a number
 * [protocol: the notification]. Also the answer to the older form of asking, which C SDK 3 reads by the same code.
 *
 * @throws Error if the URL has more than 254 characters
 */
export function formatNotification(firmware: NotifiedFirmware, url: string, id: number): string {
  const payload = JSON.stringify({ code: '1000', data: firmwareMembers(firmware, url), id, message: 'success' });
  const bytes = Buffer.byteLength(payload);
  if (bytes > NOTIFICATION_BYTES_MAX) {
    throw new Error(`The notification has ${bytes} bytes; at most ${NOTIFICATION_BYTES_MAX} are allowed.`);
  }
  return payload;
}

/** The answer to a query: `code` a number and `id` a string here [protocol: the notification]. @throws as above */
export const formatQueryReply = (firmware: NotifiedFirmware, url: string, id: string | number): string =>
  JSON.stringify({ code: 200, data: firmwareMembers(firmware, url), id: String(id), message: 'success' });

/** "Nothing to do", and every other empty answer: `"data":{}` with members before *and* after it [protocol]. */
export const formatEmptyReply = (id: string | number): string =>
  JSON.stringify({ code: 200, data: {}, id: String(id), message: 'success' });

/** "Nothing to do" in the older form; C SDK 3 looks for the letters `url` and finds none. */
export const formatOldEmptyReply = (id: number): string =>
  JSON.stringify({ code: '1000', data: {}, id, message: 'success' });

/** [protocol: NTP] times in epoch milliseconds, as strings. */
export const formatClockReply = (
  deviceSendTime: string | number,
  { receivedAtMs, sentAtMs }: { readonly receivedAtMs: number; readonly sentAtMs: number },
): string => JSON.stringify({ deviceSendTime, serverRecvTime: String(receivedAtMs), serverSendTime: String(sentAtMs) });

function firmwareMembers(firmware: NotifiedFirmware, url: string): Json {
  const { sizeBytes, sign, signMethod, version, module } = firmware;
  if (url.length > URL_CHARACTERS_MAX) {
    throw new Error(
      `The download URL has ${url.length} characters; devices take at most ${URL_CHARACTERS_MAX}. Shorten FERRY_PUBLIC_URL.`,
    );
  }
  return {
    size: sizeBytes,
    sign,
    version,
    url,
    signMethod: WIRE_SIGN_METHODS[signMethod],
    // C SDK 3 reads only this digest.
    ...(signMethod === 'MD5' ? { md5: sign.toLowerCase() } : {}),
    ...(module === DEFAULT_MODULE ? {} : { module }),
    ...extDataOf(firmware),
  };
}

/** What a device needs to check a signature (docs/firmware-signing.md); of signed firmware only, and last [protocol]. */
function extDataOf({ sha256, signature, signatureKeyId }: NotifiedFirmware): Json {
  return signature ? { extData: { sha256, signature, signatureKeyId } } : {};
}
