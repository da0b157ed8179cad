import { constants } from 'node:fs';
import { open, rm, stat, type FileHandle } from 'node:fs/promises';
import { CommandFailed } from './usage-error.js';

/** A file that a command writes, often with secrets that are answered only once: it is open before they are asked for. */
export interface OutputFile {
  /** Adds to the file. */
  write(text: string): Promise<void>;
  /** What was written stays. */
  close(): Promise<void>;
  /** Nothing was written: a file that was not there before is gone again. */
  abandon(): Promise<void>;
}

/**
 * Opens a file to be written, for the eyes of its owner only. A file that holds anything is never touched: it may be the
 * only copy of something, such as the secrets of an earlier run. Pipes and devices are written as they are.
 *
 * @param inputs files that the command reads
 * @throws CommandFailed when the file is there and not empty, or is one of the inputs
 * @throws the file system's error when it can't be written, or not be kept from the eyes of others
 */
export async function openOutputFile(path: string, inputs: readonly string[] = []): Promise<OutputFile> {
  const { handle, isNew } = await openOrCreate(path);
  try {
    const { isRegular } = await checked(handle, { path, inputs });
    // A pipe or a device is not ours alone.
    if (isRegular && !isNew) await handle.chmod(0o600);
  } catch (error) {
    await handle.close();
    throw error instanceof Error && 'code' in error ? Object.assign(error, { path }) : error;
  }
  return {
    write: (text) => handle.writeFile(text),
    close: () => handle.close(),
    async abandon() {
      await handle.close();
      if (isNew) await rm(path, { force: true });
    },
  };
}

/** Writes a whole file under the same rules. */
export async function writeOutputFile(path: string, text: string, inputs: readonly string[] = []): Promise<void> {
  const file = await openOutputFile(path, inputs);
  try {
    await file.write(text);
  } finally {
    await file.close();
  }
}

/** Appending: should two commands open the same empty file, neither writes over what the other one has written. */
const APPEND = constants.O_WRONLY | constants.O_APPEND;

async function openOrCreate(path: string): Promise<{ readonly handle: FileHandle; readonly isNew: boolean }> {
  try {
    return { handle: await open(path, APPEND), isNew: false };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { handle: await open(path, APPEND | constants.O_CREAT | constants.O_EXCL, 0o600), isNew: true };
  }
}

async function checked(
  handle: FileHandle,
  { path, inputs }: { readonly path: string; readonly inputs: readonly string[] },
): Promise<{ readonly isRegular: boolean }> {
  const found = await handle.stat();
  if (!found.isFile()) return { isRegular: false };
  for (const input of inputs) {
    const { dev, ino } = await stat(input);
    if (dev === found.dev && ino === found.ino) {
      throw new CommandFailed(`${path} is the file that is read. Name another file by --out.`);
    }
  }
  if (found.size > 0) {
    throw new CommandFailed(
      `${path} is there already and is not empty. Name another file by --out: nothing is overwritten.`,
    );
  }
  return { isRegular: true };
}
