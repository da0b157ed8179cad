/** The rules of every name that comes from outside. Each answers the broken rule as a sentence, or undefined. */

/** The module that a device means when it names none [protocol: inform]. */
export const DEFAULT_MODULE = 'default';

const FIRMWARE_NAME = /^[\p{Script=Han}A-Za-z0-9_]+$/u;
const PRODUCT_KEY = /^[A-Za-z0-9_-]{1,32}$/;
/** Not only dots: `..` means another place in a URL. */
const DEVICE_NAME = /^(?!\.+$)[A-Za-z0-9_.:@-]{1,64}$/;
const MODULE = /^[A-Za-z0-9_.-]{1,64}$/;
/** Device secrets are HMAC keys; vendor tools write them as letters and digits. */
const DEVICE_SECRET = /^[\x21-\x7e]{8,128}$/;
/**
 * No U+FFFD, which stands for bytes that were no UTF-8: no device can confirm it. No control characters; no quotes and
 * backslashes, since C devices find JSON keys by text search [protocol].
 */
const VERSION = /^[^\p{C}\uFFFD\s"\\]([^\p{C}\uFFFD"\\]{0,62}[^\p{C}\uFFFD\s"\\])?$/u;

/** Characters as a person counts them: code points, not UTF-16 units. */
export const countCharacters = (text: string): number => Array.from(text).length;

/** [seed: add] only Chinese characters, English letters, digits, underscore; 1 to `charactersMax` characters. */
export function firmwareNameProblem(name: string, charactersMax: number): string | undefined {
  const length = countCharacters(name);
  if (length < 1 || length > charactersMax) return `must have 1 to ${charactersMax} characters; it has ${length}`;
  if (!FIRMWARE_NAME.test(name)) return 'must have only Chinese characters, English letters, digits and underscores';
  return undefined;
}

/** Answers the broken rule as a sentence; undefined: the text keeps it. */
export interface NameRule {
  (text: string): string | undefined;
  readonly pattern: RegExp;
}

const rule = (pattern: RegExp, sentence: string): NameRule =>
  Object.assign((text: string) => (pattern.test(text) ? undefined : sentence), { pattern });

export const productKeyProblem = rule(PRODUCT_KEY, 'must be 1 to 32 English letters, digits, "_" or "-"');
export const deviceNameProblem = rule(
  DEVICE_NAME,
  'must be 1 to 64 English letters, digits, "_", "-", ".", ":" or "@", and not only dots',
);
export const moduleProblem = rule(MODULE, 'must be 1 to 64 English letters, digits, "_", "-" or "."');
export const versionProblem = rule(
  VERSION,
  'must be 1 to 64 characters without control characters, quotes, backslashes or U+FFFD (send it as UTF-8), and no blank at either end',
);
export const deviceSecretProblem = rule(DEVICE_SECRET, 'must be 8 to 128 printable ASCII characters without blanks');

/** 32 and 64 bytes in base64, of which there is one spelling each. */
const PUBLIC_KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;
const SIGNATURE = /^[A-Za-z0-9+/]{85}[AQgw]==$/;
export const publicKeyProblem = rule(
  PUBLIC_KEY,
  'must be an Ed25519 public key: 32 bytes in base64, as "ferry keys generate" prints it',
);
export const signatureProblem = rule(
  SIGNATURE,
  'must be an Ed25519 signature: 64 bytes in base64, as "ferry firmware sign" prints it',
);

export const isProductKey = (text: string): boolean => PRODUCT_KEY.test(text);
export const isDeviceName = (text: string): boolean => DEVICE_NAME.test(text);
export const isModule = (text: string): boolean => MODULE.test(text);
export const isVersion = (text: string): boolean => VERSION.test(text);
