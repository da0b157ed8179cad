import { createHash, randomBytes, type Hash } from 'node:crypto';
import { link, mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { FerryError } from '../domain/errors.js';
import { tooLarge, type ByteRange, type FirmwareStore, type StoredFile, type StoredUpload } from './store.js';

const SHA256 = /^[0-9a-f]{64}$/;
/** On the same file system as the files: a link or a rename is then one step. */
const INCOMING = 'incoming';

/**
 * Firmware files in a local folder, `ab/cd/abcd…`. A file appears at its address whole or not at all; what a killed
 * process left half-done is cleaned here, so one process at a time may open the folder.
 */
export async function openLocalStore(folder: string): Promise<FirmwareStore> {
  const incoming = join(folder, INCOMING);
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming, { recursive: true });
  return new LocalStore(folder, incoming);
}

class LocalStore implements FirmwareStore {
  constructor(
    private readonly folder: string,
    private readonly incoming: string,
  ) {}

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
      throw error;
    }
  }

  async read(sha256: string, range?: ByteRange): Promise<Readable> {
    // Opened here rather than by the stream: a missing file rejects before any header is sent.
    const file = await open(this.pathOf(sha256), 'r');
    return file.createReadStream(range ?? {});
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
    await link(copy, path).catch((error: unknown) => {
      // The same content is there already.
      if (!isCode(error, 'EEXIST')) throw error;
    });
    await syncFolder(dirname(path));
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

const isCode = (error: unknown, code: string): boolean => (error as { code?: string }).code === code;
