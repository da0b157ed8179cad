import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

/** Hides secrets that the records must be able to read again. */
export interface Sealer {
  /**
   * @param owner what the secret belongs to: a sealed secret that is moved to another owner can't be opened
   */
  seal(secret: string, owner: string): string;
  /**
   * A secret that is not sealed, as older releases have stored it, is answered as it is.
   *
   * @throws SealedByOtherKey when no key opens it; Error when it was changed
   */
  open(stored: string, owner: string): string;
  /** What everything that is sealed by the newest key begins with. */
  readonly mark: string;
}

export const SEALING_KEY_BYTES = 32;
/** Blanks, which no device secret has: what is not sealed can't be taken for it. */
const MARK = 'sealed v1';
const KEY_ID_CHARACTERS = 8;
/** With a mark of this length, before the secret itself, two secrets are sealed by the same key or are both plain. */
export const SEALED_BY_CHARACTERS = `${MARK} `.length + KEY_ID_CHARACTERS;
export const isSealed = (stored: string): boolean => stored.startsWith(`${MARK} `);
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** What is sealed can't be opened, since its key is not among those that were given. */
export class SealedByOtherKey extends Error {
  override readonly name = 'SealedByOtherKey';

  constructor(readonly keyId: string) {
    super(`A device secret is sealed by key ${keyId}, which is not there.`);
  }
}

const keyIdOf = (key: Buffer): string => createHash('sha256').update(key).digest('hex').slice(0, KEY_ID_CHARACTERS);

/** For what opens the records without the keys: it gets no secrets. */
export const NO_SECRETS: Sealer = {
  seal: () => noKeys(),
  open: () => noKeys(),
  get mark() {
    return noKeys();
  },
};
const noKeys = (): never => {
  throw new Error('Device secrets are not for this use of the records.');
};

/**
 * Seals by AES-256-GCM: `sealed v1 <key id> <iv, ciphertext and tag in base64>`.
 *
 * @param keys of 32 bytes, the newest first: it seals, all of them open
 * @throws Error for a key of another length, or none
 */
export function createSealer(keys: readonly Buffer[]): Sealer {
  const [newest] = keys;
  if (!newest || keys.some((key) => key.length !== SEALING_KEY_BYTES)) {
    throw new Error(`Sealing keys have ${SEALING_KEY_BYTES} bytes each, and there is at least one.`);
  }
  const byId = new Map(keys.map((key) => [keyIdOf(key), key]));
  const mark = `${MARK} ${keyIdOf(newest)} `;
  return {
    mark,
    seal(secret, owner) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', newest, iv).setAAD(Buffer.from(owner));
      const sealed = Buffer.concat([iv, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `${mark}${sealed.toString('base64')}`;
    },
    open(stored, owner) {
      if (!isSealed(stored)) return stored;
      const [keyId = '', text = ''] = stored.slice(MARK.length + 1).split(' ');
      const key = byId.get(keyId);
      if (!key) throw new SealedByOtherKey(keyId);
      const bytes = Buffer.from(text, 'base64');
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES))
        .setAAD(Buffer.from(owner))
        .setAuthTag(bytes.subarray(-TAG_BYTES));
      const secret = decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES), undefined, 'utf8');
      return secret + decipher.final('utf8');
    },
  };
}
