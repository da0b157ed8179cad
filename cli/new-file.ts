import { createHash } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { CommandFailed } from './usage-error.js';

/**
 * Writes what comes into a new file; nothing of it is left behind unless all of it is there.
 *
 * @throws CommandFailed where a file of that name is there already, or the content is not what it should be
 */
export async function saveFile(path: string, pieces: AsyncIterable<Uint8Array>, sha256: string): Promise<void> {
  const file = await create(path);
  const digest = createHash('sha256');
  try {
    for await (const piece of pieces) {
      digest.update(piece);
      await file.write(piece);
    }
    if (digest.digest('hex') !== sha256)
      throw new CommandFailed('What came is not the file that was added. Try again.');
    await file.close();
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(path, { force: true });
    throw error;
  }
}

async function create(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx');
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw new CommandFailed(
      code === 'EEXIST'
        ? `The file ${path} is there already and is not overwritten; name another one by --out.`
        : `The file ${path} can't be written (${code}); name another one by --out.`,
    );
  }
}
