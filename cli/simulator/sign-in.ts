import { createHmac } from 'node:crypto';
import type { Flavour } from './flavour.js';

export interface DeviceTriple {
  readonly productKey: string;
  readonly deviceName: string;
  readonly deviceSecret: string;
}

const HASHES = { hmacmd5: 'md5', hmacsha1: 'sha1', hmacsha256: 'sha256' } as const;

/** Client id, username and password of one connection [protocol: connect]. */
export function signIn({ productKey, deviceName, deviceSecret }: DeviceTriple, flavour: Flavour) {
  const base = flavour.base(productKey, deviceName);
  const timestamp = flavour.timestamp();
  const stamp = timestamp === undefined ? '' : `timestamp${timestamp}`;
  const digest = createHmac(HASHES[flavour.signMethod], deviceSecret)
    .update(`clientId${base}deviceName${deviceName}productKey${productKey}${stamp}`)
    .digest('hex');
  const parameters = [
    flavour.parameters,
    `signmethod=${flavour.signMethod}`,
    ...(timestamp === undefined ? [] : [`timestamp=${timestamp}`]),
  ].join(',');
  return {
    clientId: `${base}|${parameters}${flavour.trailingComma ? ',' : ''}|`,
    username: `${deviceName}&${productKey}`,
    password: flavour.upperCaseHex ? digest.toUpperCase() : digest,
  };
}
