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
   * @throws Error when no key opens it, or it was changed
   */
  open(stored: string, owner: string): string;
  /** What everything that is sealed by the newest key begins with. */
  readonly mark: string;
}

export const SEALING_KEY_BYTES = 32;
/** Blanks, which no device secret has: what is not sealed can't be taken for it. */
const MARK = 'sealed v1';
const IV_BYTES = 12;
const TAG_BYTES = 16;

const keyIdOf = (key: Buffer): string => createHash('sha256').update(key).digest('hex').slice(0, 8);

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
      if (!stored.startsWith(`${MARK} `)) return stored;
      const [keyId = '', text = ''] = stored.slice(MARK.length + 1).split(' ');
      const key = byId.get(keyId);
      if (!key) throw new Error(`A device secret is sealed by key ${keyId}, which is not there.`);
      const bytes = Buffer.from(text, 'base64');
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES))
        .setAAD(Buffer.from(owner))
        .setAuthTag(bytes.subarray(-TAG_BYTES));
      const secret = decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES), undefined, 'utf8');
      return secret + decipher.final('utf8');
    },
  };
}
