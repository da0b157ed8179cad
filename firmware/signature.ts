import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';

/*
 * Detached signatures of firmware: Ed25519 over a statement in plain text, made where the private key is, which is never
 * the server. Whoever has the public key can check that a firmware is what its maker released, wherever it comes from.
 */

/** What a signature is about. */
export interface SignedFirmware {
  readonly productKey: string;
  readonly module: string;
  readonly version: string;
  readonly sizeBytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** Of the DER forms in front of the raw 32 bytes [RFC 8410]. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** The bytes that are signed: one line a member, each ended by a line feed. No member can contain one. */
export const signedStatement = ({ productKey, module, version, sizeBytes, sha256 }: SignedFirmware): Buffer =>
  Buffer.from(
    `ferry-firmware-v1\nproduct:${productKey}\nmodule:${module}\nversion:${version}\nsize:${sizeBytes}\nsha256:${sha256}\n`,
  );

/** The first 16 hex digits of the SHA-256 of the raw public key. @param publicKey raw, in base64 */
export const keyIdOf = (publicKey: string): string =>
  createHash('sha256').update(Buffer.from(publicKey, 'base64')).digest('hex').slice(0, 16);

/** @param publicKey raw, in base64; @param signature in base64 */
export function isSignedBy(publicKey: string, firmware: SignedFirmware, signature: string): boolean {
  const key = createPublicKey({
    key: Buffer.concat([SPKI_PREFIX, Buffer.from(publicKey, 'base64')]),
    format: 'der',
    type: 'spki',
  });
  return verify(null, signedStatement(firmware), key, Buffer.from(signature, 'base64'));
}

/** @returns the private key as PEM (PKCS 8), and the public one raw in base64 */
export function generateSigningKey(): { readonly privateKey: string; readonly publicKey: string } {
  const pair = generateKeyPairSync('ed25519');
  return {
    privateKey: pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    publicKey: rawPublicKey(pair.publicKey),
  };
}

/** @param pem a private Ed25519 key. @throws Error when it is none */
export function signFirmware(pem: string, firmware: SignedFirmware): { signature: string; publicKey: string } {
  const key = createPrivateKey(pem);
  if (key.asymmetricKeyType !== 'ed25519') throw new Error('The key is not an Ed25519 key.');
  return {
    signature: sign(null, signedStatement(firmware), key).toString('base64'),
    publicKey: rawPublicKey(createPublicKey(key)),
  };
}

const rawPublicKey = (key: KeyObject): string =>
  key.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length).toString('base64');
