import { createHash, randomBytes, type Hash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { link, mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { FerryError, storageUnavailable } from '../domain/errors.js';
import {
  damaged,
  tooLarge,
  type ByteRange,
  type FirmwareStore,
  type Integrity,
  type StoredAddress,
  type StoredFile,
  type StoredUpload,
} from './store.js';

const SHA256 = /^[0-9a-f]{64}$/;
/** Read at once for a download: twice as much as Node does by itself, which makes up for what the handler costs (docs/performance.md). */
const PIECE_BYTES = 128 * 1_024;
/** On the same file system as the files: a link or a rename is then one step. */
const INCOMING = 'incoming';

/**
 * Firmware files in a local folder, `ab/cd/abcd…`. A file appears at its address whole or not at all; what a killed
 * process left half-done is cleaned here, so one process at a time may open the folder.
 */
export async function openLocalStore(folder: string, { onDamage }: LocalStoreOptions = {}): Promise<FirmwareStore> {
  const incoming = join(folder, INCOMING);
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming, { recursive: true });
  return new LocalStore(folder, incoming, onDamage);
}

export interface LocalStoreOptions {
  /** Told once for each file that is found damaged, and again when it has changed and is damaged still. */
  readonly onDamage?: (sha256: string, integrity: Exclude<Integrity, 'intact'>) => void;
}

/** What was found of a file as it was then: any write, rename or replacement changes its mark. */
interface Checked {
  readonly mark: string;
  readonly integrity: Promise<Integrity>;
}

class LocalStore implements FirmwareStore {
  constructor(
    private readonly folder: string,
    private readonly incoming: string,
    private readonly onDamage: LocalStoreOptions['onDamage'],
  ) {}

  private readonly checked = new Map<string, Checked>();
  /** Told of already. */
  private readonly unreadable = new Set<string>();

  async put(file: Readable, bytesMax: number): Promise<StoredUpload> {
    const copy = this.incomingPath();
    try {
      const stored = await writeWhole(copy, file, bytesMax);
      await this.place(copy, stored.sha256);
      return {
        ...stored,
        keep: async () => {
          await this.place(copy, stored.sha256);
          await rm(copy, { force: true });
        },
        discard: async (isUsed) => {
          await this.remove(stored.sha256, isUsed);
          await rm(copy, { force: true });
        },
      };
    } catch (error) {
      await rm(copy, { force: true });
      throw writeRefusal(error) ?? error;
    }
  }

  async read(sha256: string, range?: ByteRange): Promise<Readable> {
    // Opened here rather than by the stream: what is wrong with the file is known before any header is sent.
    const { file, integrity } = await this.opened(sha256);
    if (file && integrity === 'intact') return file.createReadStream({ ...range, highWaterMark: PIECE_BYTES });
    await file?.close();
    throw damaged(integrity === 'intact' ? 'missing' : integrity);
  }

  async isIntact(sha256: string): Promise<Integrity> {
    // Asked before each notification: a file that is as it was when it was read is not opened again.
    const known = this.checked.get(sha256);
    if (known && known.mark === (await markAt(this.pathOf(sha256)))) return known.integrity;
    const { file, integrity } = await this.opened(sha256);
    await file?.close();
    return integrity;
  }

  /** A file that is there and can't be read is damaged, until it can: whoever asks is to wait, not to fail. */
  private async opened(sha256: string): Promise<{ readonly file?: FileHandle; readonly integrity: Integrity }> {
    let file: FileHandle | undefined;
    try {
      file = await openExisting(this.pathOf(sha256));
      const integrity = await this.integrityOf(sha256, file);
      this.unreadable.delete(sha256);
      return { file, integrity };
    } catch (error) {
      await file?.close();
      if (!UNREADABLE.some((code) => isCode(error, code))) throw error;
      if (!this.unreadable.has(sha256)) this.onDamage?.(sha256, 'corrupt');
      this.unreadable.add(sha256);
      return { integrity: 'corrupt' };
    }
  }

  async list(): Promise<readonly StoredAddress[]> {
    const entries = await readdir(this.folder, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile() && SHA256.test(entry.name));
    const stored = await Promise.all(
      files.map(async ({ name, parentPath }) => {
        const found = await stat(join(parentPath, name)).catch(() => undefined); // removed meanwhile
        return found && { sha256: name, storedAtMs: found.mtimeMs };
      }),
    );
    return stored.filter((file) => file !== undefined);
  }

  /** Of the very file that is open; many who ask at once share one look. */
  private async integrityOf(sha256: string, file: FileHandle | undefined): Promise<Integrity> {
    const mark = file ? await markOf(file) : 'missing';
    const known = this.checked.get(sha256);
    if (known?.mark === mark) return known.integrity;
    const integrity = file ? digestOf(file).then((found) => (found === sha256 ? 'intact' : 'corrupt')) : MISSING;
    this.checked.set(sha256, { mark, integrity });
    try {
      const found = await integrity;
      if (found !== 'intact') this.onDamage?.(sha256, found);
      return found;
    } catch (error) {
      this.checked.delete(sha256);
      throw error;
    }
  }

  /**
   * The file is taken away *before* the second look at its users: whoever begins to use it later finds it gone and puts
   * its own copy there (`keep`), and whoever began earlier is seen.
   */
  async remove(sha256: string, isUsed: () => Promise<boolean>): Promise<void> {
    if (await isUsed()) return;
    const taken = this.incomingPath();
    try {
      await rename(this.pathOf(sha256), taken);
    } catch (error) {
      if (isCode(error, 'ENOENT')) return;
      throw error;
    }
    try {
      if (await isUsed()) await this.place(taken, sha256);
    } finally {
      await rm(taken, { force: true });
    }
  }

  private async place(copy: string, sha256: string): Promise<void> {
    const path = this.pathOf(sha256);
    await mkdir(dirname(path), { recursive: true });
    try {
      await link(copy, path);
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error;
      // The same content is there already, or should be: a damaged file is replaced by the good one.
      if ((await this.isIntact(sha256)) !== 'intact') await this.replace(copy, path);
    }
    await syncFolder(dirname(path));
  }

  /** In one step, and the copy stays: a rename of a second link to it. */
  private async replace(copy: string, path: string): Promise<void> {
    const second = this.incomingPath();
    await link(copy, second);
    await rename(second, path);
  }

  private incomingPath(): string {
    return join(this.incoming, randomBytes(12).toString('hex'));
  }

  private pathOf(sha256: string): string {
    if (!SHA256.test(sha256)) throw new Error('A content address has 64 hexadecimal digits');
    return join(this.folder, sha256.slice(0, 2), sha256.slice(2, 4), sha256);
  }
}

async function writeWhole(path: string, file: Readable, bytesMax: number): Promise<StoredFile> {
  const handle = await open(path, 'wx', 0o600);
  try {
    const stored = await copyTo(handle, file, bytesMax);
    // Durable before the records name it.
    await handle.sync();
    return stored;
  } finally {
    await handle.close();
  }
}

/** One piece at a time: the source is held back to the speed of the disk. */
async function copyTo(handle: FileHandle, file: Readable, bytesMax: number): Promise<StoredFile> {
  const hashes: Record<'sha256' | 'md5', Hash> = { sha256: createHash('sha256'), md5: createHash('md5') };
  let sizeBytes = 0;
  for await (const piece of file as AsyncIterable<Buffer>) {
    sizeBytes += piece.length;
    if (sizeBytes > bytesMax) throw tooLarge(bytesMax);
    hashes.sha256.update(piece);
    hashes.md5.update(piece);
    await handle.writeFile(piece);
  }
  if (sizeBytes === 0) throw new FerryError('firmware-empty', 'The file is empty. Choose the firmware file.');
  return { sizeBytes, sha256: hashes.sha256.digest('hex'), md5: hashes.md5.digest('hex') };
}

/** A new name is durable once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A bad sector, foreign rights, a folder in its place. */
const UNREADABLE = ['EIO', 'EACCES', 'EPERM', 'EISDIR'];

const MISSING: Promise<Integrity> = Promise.resolve('missing');

async function openExisting(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

const markOf = async (file: FileHandle): Promise<string> => markBy(await file.stat({ bigint: true }));

const markAt = (path: string): Promise<string | undefined> =>
  stat(path, { bigint: true }).then(markBy, () => undefined);

const markBy = ({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string => [ino, size, mtimeNs, ctimeNs].join(' ');

async function digestOf(file: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  const bytes = file.createReadStream({ start: 0, autoClose: false });
  for await (const piece of bytes as AsyncIterable<Buffer>) hash.update(piece);
  return hash.digest('hex');
}

/** Of a disk that is full or must not be written. */
const WRITE_REFUSALS: Readonly<Record<string, string>> = {
  ENOSPC: 'it is full',
  EDQUOT: 'its quota is used up',
  EROFS: 'it is read-only',
  EIO: 'it answers with errors',
};

function writeRefusal(error: unknown): FerryError | undefined {
  const reason = WRITE_REFUSALS[(error as { code?: string }).code ?? ''];
  return reason === undefined ? undefined : storageUnavailable(reason);
}

const isCode = (error: unknown, code: string): boolean => (error as { code?: string }).code === code;
