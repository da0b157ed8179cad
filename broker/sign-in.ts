import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { isDeviceName, isProductKey } from '../domain/names.js';
import type { DeviceKey } from '../domain/ids.js';

/** What a device's CONNECT says about who it is; nothing of it is proven yet [protocol: connect]. */
export interface SignIn {
  readonly device: DeviceKey;
  /** The free text before the parameters of the client id: part of what is signed. */
  readonly base: string;
  readonly algorithm: 'md5' | 'sha1' | 'sha256';
  /** Signed only if it was sent; never checked, device clocks are wrong by decades. */
  readonly timestamp: string | undefined;
  /** Hex, in either case. */
  readonly signature: string;
  /** `_ss=1`: the device sends no SUBSCRIBE and expects its downstream topics all the same. */
  readonly systemSubscribes: boolean;
}

export interface Credentials {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** The vendor's default is the first one. */
const ALGORITHMS = new Map<string, SignIn['algorithm']>([
  ['hmacmd5', 'md5'],
  ['hmacsha1', 'sha1'],
  ['hmacsha256', 'sha256'],
]);

/** Signs for a device that is not registered, so that the answer takes the same time. */
const NOBODYS_SECRET = randomBytes(16).toString('hex');

/** Reads username `DN&PK`, client id `BASE|key=value,…|` and password; undefined when they are not of that form. */
export function parseSignIn({ clientId, username, password }: Credentials): SignIn | undefined {
  const [deviceName = '', productKey = '', ...more] = (username ?? '').split('&');
  if (more.length > 0 || !isDeviceName(deviceName) || !isProductKey(productKey)) return undefined;
  const [base = '', text = ''] = clientId.split('|', 2);
  const parameters = parseParameters(text);
  const algorithm = ALGORITHMS.get((parameters.get('signmethod') ?? 'hmacmd5').toLowerCase());
  if (algorithm === undefined || password === undefined) return undefined;
  return {
    device: { productKey, deviceName },
    base,
    algorithm,
    timestamp: parameters.get('timestamp'),
    signature: password,
    systemSubscribes: parameters.get('_ss') === '1',
  };
}

/** Unknown parameters are the SDKs' own affair, and a trailing comma is common [protocol: connect]. */
function parseParameters(text: string): Map<string, string> {
  return new Map(
    text
      .split(',')
      .filter((pair) => pair.includes('='))
      .map((pair) => {
        const at = pair.indexOf('=');
        return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
      }),
  );
}

/**
 * Whether the device's secret made the signature. Takes the same time whatever is wrong, the device's being unknown
 * (`secret` undefined) included.
 */
export function isAuthentic(signIn: SignIn, secret: string | undefined): boolean {
  const expected = Buffer.from(sign(signIn, secret ?? NOBODYS_SECRET));
  const given = Buffer.from(signIn.signature.toLowerCase());
  const same = given.length === expected.length && timingSafeEqual(given, expected);
  return same && secret !== undefined;
}

function sign({ device, base, algorithm, timestamp }: SignIn, secret: string): string {
  const stamp = timestamp === undefined ? '' : `timestamp${timestamp}`;
  const content = `clientId${base}deviceName${device.deviceName}productKey${device.productKey}${stamp}`;
  return createHmac(algorithm, secret).update(content).digest('hex');
}
