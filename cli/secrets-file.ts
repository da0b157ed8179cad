import { constants } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';

/** A file for secrets that are answered only once; it is open before they are asked for, so that none is lost. */
export interface SecretsFile {
  /** In place of all that the file held. */
  write(text: string): Promise<void>;
  /** Nothing is kept: a file that was not there before is gone again. */
  abandon(): Promise<void>;
}

/** @throws the file system's error when the file can't be written, or not be kept from the eyes of others */
export async function openSecretsFile(path: string): Promise<SecretsFile> {
  const { handle, isNew } = await openOrCreate(path);
  const isRegular = (await handle.stat()).isFile();
  // A pipe or a device is not ours alone.
  if (isRegular && !isNew) {
    await handle.chmod(0o600).catch(async (error: unknown) => {
      await handle.close();
      throw Object.assign(error as Error, { path });
    });
  }
  return {
    async write(text) {
      if (isRegular) await handle.truncate();
      await handle.writeFile(text);
      await handle.close();
    },
    async abandon() {
      await handle.close();
      if (isNew) await rm(path, { force: true });
    },
  };
}

/** What the file holds stays until there is something to put in its place. */
async function openOrCreate(path: string): Promise<{ readonly handle: FileHandle; readonly isNew: boolean }> {
  try {
    return { handle: await open(path, constants.O_WRONLY), isNew: false };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { handle: await open(path, 'wx', 0o600), isNew: true };
  }
}
