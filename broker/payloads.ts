import { findNodeAtLocation, parse as parseLeniently, parseTree, type Node, type ParseError } from 'jsonc-parser';
import { DEFAULT_MODULE, isModule, isVersion } from '../domain/names.js';
import type { DigestMethod, Firmware } from '../records/records.js';

/*
 * The JSON of the devices' protocol, both directions. Everything a device sends is untrusted: a parser answers
 * undefined for what it can't accept, and never throws.
 */

/** Versions, modules and steps are far shorter. */
const TEXT_CHARACTERS_MAX = 256;
const STEP = /^[+-]?\d{1,16}([.,]\d{0,16})?\s*%?$/;
/** A longer URL crashes a C device [protocol: the notification]. */
export const URL_CHARACTERS_MAX = 254;
const NOTIFICATION_BYTES_MAX = 10 * 1024;
/** What a device may add to a failure, as far as it is kept. */
const DESCRIPTION_CHARACTERS_MAX = 200;
const ID_CHARACTERS_MAX = 64;
/** The first step without a meaning of its own. */
const UNNAMED_STEP = -5;

type Json = Readonly<Record<string, unknown>>;

// ── upwards ─────────────────────────────────────────────────────────────────────────────────────

export interface VersionReport {
  readonly module: string;
  readonly version: string;
}

export interface ProgressReport {
  /** Null when the device named none: then it is about whatever update is under way. */
  readonly module: string | null;
  /** A whole number up to 100 percent; every negative one is a failure. */
  readonly step: number;
  readonly description: string;
}

/** A number that JavaScript's own can't hold; it goes back to the device letter for letter. */
export interface NumberText {
  readonly number: string;
}
export type MessageId = string | number | NumberText;

/** A device's question for its update. */
export interface FirmwareQuery {
  readonly id: MessageId;
  readonly module: string;
}

/** [protocol: inform] `{"id":1,"params":{"version":"1.0.0","module":"MCU"}}` */
export function parseVersionReport(payload: Uint8Array): VersionReport | undefined {
  const params = paramsOf(parseJson(payload));
  const module = parseModule(params?.module);
  const version = trimmed(params?.version);
  if (module === undefined || typeof version !== 'string' || !isVersion(version)) return undefined;
  return { module: module ?? DEFAULT_MODULE, version };
}

/** [protocol: progress] `{"id":2,"params":{"step":"40","desc":"","module":"MCU"}}` */
export function parseProgressReport(payload: Uint8Array): ProgressReport | undefined {
  const params = paramsOf(parseJson(payload));
  const module = parseModule(params?.module);
  const reported = parseStep(params?.step);
  if (module === undefined || reported === undefined) return undefined;
  const step = reported < 0 ? Math.min(reported, -1) : Math.min(Math.floor(reported), 100);
  const description = parseDescription(params?.desc);
  // A failure without a name of its own is told by its number.
  const isNamed = step >= -4 && Number.isInteger(reported);
  return isNamed || reported >= 0 ? { module, step: step + 0, description } : ofUnnamed(reported, module, description);
}

const ofUnnamed = (step: number, module: string | null, description: string): ProgressReport => {
  const text = `It reported step ${step}. ${description}`.trim();
  // Below all that have a name: a fraction between two of them has none either.
  return { module, step: Math.min(Math.floor(step), UNNAMED_STEP), description: text };
};

/** Whether it is a progress report in all but the spelling of its step. */
export function hasStep(payload: Uint8Array): boolean {
  const step = paramsOf(parseJson(payload))?.step;
  return typeof step === 'number' || (typeof step === 'string' && step.trim() !== '');
}

/**
 * [protocol: query] `{"id":"2","version":"1.0","params":{"module":"MCU"}}`, and the older form
 * `{"id":2,"params":{"version":"1.0.0"}}`. An answer, which shares the older form's topic, is no question.
 */
export function parseFirmwareQuery(payload: Uint8Array): FirmwareQuery | undefined {
  const json = parseJson(payload);
  if (!json || 'code' in json || 'data' in json) return undefined;
  const module = parseModule(paramsOf(json)?.module);
  return module === undefined
    ? undefined
    : { id: parseId(json.id, payload, 'id') ?? '0', module: module ?? DEFAULT_MODULE };
}

/** [protocol: NTP] the device's own clock, echoed as it came. */
export function parseClockQuery(payload: Uint8Array): { readonly deviceSendTime: MessageId } | undefined {
  const deviceSendTime = parseId(parseJson(payload)?.deviceSendTime, payload, 'deviceSendTime');
  return deviceSendTime === undefined ? undefined : { deviceSendTime };
}

/** A message to another service of the vendor's platform: its id when it waits for an answer, else null. */
export function parsePlatformMessage(payload: Uint8Array): { readonly replyTo: MessageId | null } | undefined {
  const json = parseJson(payload);
  if (!json) return undefined;
  const declined = isObject(json.sys) && json.sys.ack === 0;
  return { replyTo: declined ? null : (parseId(json.id, payload, 'id') ?? null) };
}

function parseJson(payload: Uint8Array): Json | undefined {
  const text = textOf(payload);
  const json = tryParse(text) ?? tryParseLeniently(text);
  return isObject(json) ? json : undefined;
}

/**
 * Up to the string's end, which C devices send with it, and behind which there may be the rest of an older message.
 * Without the mark that some editors put before a text.
 */
function textOf(payload: Uint8Array): string {
  const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(payload);
  const end = bytes.indexOf(0);
  const text = bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

const LENIENT = { allowTrailingComma: true, disallowComments: true };
/** No parser takes them within a string, where shell scripts leave a line end. */
const CONTROLS = /[\u0001-\u001f]/g;

/** Also with trailing commas [protocol: query], and with line ends in strings. */
function tryParseLeniently(text: string): unknown {
  const errors: ParseError[] = [];
  try {
    const json: unknown = parseLeniently(text.replace(CONTROLS, ' '), errors, LENIENT);
    return errors.length === 0 ? json : undefined;
  } catch {
    return undefined; // nested too deeply
  }
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
  const module = trimmed(value);
  if (module === undefined || module === null || module === '') return null;
  return typeof module === 'string' && isModule(module) ? module : undefined;
}

/** Without the blanks, line ends and string ends around it. */
function trimmed(value: unknown): unknown {
  if (typeof value !== 'string' || value.length > TEXT_CHARACTERS_MAX) return value;
  return value.replace(/^[\s\0]+|[\s\0]+$/g, '');
}

/** Devices compute their percentage, and write it as they like: `"12.5"`, `"12%"`, `101`. */
function parseStep(value: unknown): number | undefined {
  const text = trimmed(value);
  const step = typeof text === 'string' && STEP.test(text) ? Number.parseFloat(text.replace(',', '.')) : text;
  return typeof step === 'number' && Number.isFinite(step) ? step : undefined;
}

function parseDescription(value: unknown): string {
  if (typeof value !== 'string' || value === '') return '';
  const printable = value.replace(/\p{C}+/gu, ' ').trim();
  return Array.from(printable).slice(0, DESCRIPTION_CHARACTERS_MAX).join('');
}

/** @param key of the message's member that it is */
function parseId(value: unknown, payload: Uint8Array, key: string): MessageId | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : numberText(payload, key);
  return typeof value === 'string' && value.length <= ID_CHARACTERS_MAX ? value : undefined;
}

/** A number as its message spells it. */
function numberText(payload: Uint8Array, key: string): NumberText | undefined {
  const text = textOf(payload).replace(CONTROLS, ' ');
  const node = memberOf(text, key);
  if (node?.type !== 'number' || node.length > ID_CHARACTERS_MAX) return undefined;
  return { number: text.slice(node.offset, node.offset + node.length) };
}

/** Undefined also in what is nested too deeply for the tree, which takes fewer levels than JavaScript's own parser. */
function memberOf(text: string, key: string): Node | undefined {
  try {
    const tree = parseTree(text, [], LENIENT);
    return tree && findNodeAtLocation(tree, [key]);
  } catch {
    return undefined;
  }
}

/** As JSON has it. */
const literal = (id: MessageId): string => (typeof id === 'object' ? id.number : JSON.stringify(id));
/** In a string, as the platform answers. */
const idText = (id: MessageId): string => (typeof id === 'object' ? id.number : String(id));

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
export function formatNotification(firmware: NotifiedFirmware, url: string, id: number | NumberText): string {
  const data = JSON.stringify(firmwareMembers(firmware, url));
  const payload = `{"code":"1000","data":${data},"id":${literal(id)},"message":"success"}`;
  const bytes = Buffer.byteLength(payload);
  if (bytes > NOTIFICATION_BYTES_MAX) {
    throw new Error(`The notification has ${bytes} bytes; at most ${NOTIFICATION_BYTES_MAX} are allowed.`);
  }
  return payload;
}

/** The answer to a query: `code` a number and `id` a string here [protocol: the notification]. @throws as above */
export const formatQueryReply = (firmware: NotifiedFirmware, url: string, id: MessageId): string =>
  JSON.stringify({ code: 200, data: firmwareMembers(firmware, url), id: idText(id), message: 'success' });

/** "Nothing to do", and every other empty answer: `"data":{}` with members before *and* after it [protocol]. */
export const formatEmptyReply = (id: MessageId): string =>
  JSON.stringify({ code: 200, data: {}, id: idText(id), message: 'success' });

/** "Nothing to do" in the older form; C SDK 3 looks for the letters `url` and finds none. */
export const formatOldEmptyReply = (id: number | NumberText): string =>
  `{"code":"1000","data":{},"id":${literal(id)},"message":"success"}`;

/** [protocol: NTP] times in epoch milliseconds, as strings. */
export const formatClockReply = (
  deviceSendTime: MessageId,
  { receivedAtMs, sentAtMs }: { readonly receivedAtMs: number; readonly sentAtMs: number },
): string =>
  `{"deviceSendTime":${literal(deviceSendTime)},"serverRecvTime":"${receivedAtMs}","serverSendTime":"${sentAtMs}"}`;

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
