import { randomBytes } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import type { StreamedBody } from './client-core.js';

/**
 * A multipart body that reads its file while it is sent; whoever sends it closes it.
 *
 * @param onProgress bytes of the file sent so far, and its size
 * @throws the file system's error when the file can't be opened
 */
export async function uploadBody(
  file: string,
  fields: Readonly<Record<string, string | undefined>>,
  onProgress: (sentBytes: number, totalBytes: number) => void = () => undefined,
): Promise<{ readonly body: StreamedBody; readonly contentType: string }> {
  const { handle, sizeBytes: totalBytes } = await openFile(file);
  let failure: Error | undefined;
  const boundary = `ferry-${randomBytes(12).toString('hex')}`;

  async function* pieces(): AsyncGenerator<Buffer, void> {
    for (const [name, value] of Object.entries(fields)) {
      if (value !== undefined) yield Buffer.from(`--${boundary}\r\n${disposition(name)}\r\n\r\n${value}\r\n`);
    }
    const fileName = encodeURIComponent(basename(file));
    const type = 'Content-Type: application/octet-stream';
    yield Buffer.from(`--${boundary}\r\n${disposition('file')}; filename="${fileName}"\r\n${type}\r\n\r\n`);
    let sentBytes = 0;
    for await (const piece of handle.createReadStream() as AsyncIterable<Buffer>) {
      yield piece;
      sentBytes += piece.length;
      onProgress(sentBytes, totalBytes);
    }
    yield Buffer.from(`\r\n--${boundary}--\r\n`);
  }

  const source = pieces();
  const close = async () => {
    await source.return(undefined);
    await handle.close();
  };
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const piece = await source.next().catch((error: unknown) => {
        throw (failure = Object.assign(error as Error, { path: file }));
      });
      if (piece.done === true) controller.close();
      else controller.enqueue(piece.value);
    },
    cancel: close,
  });
  return { body: { stream, failure: () => failure, close }, contentType: `multipart/form-data; boundary=${boundary}` };
}

/** A directory can be opened as well, and fails only when it is read. */
async function openFile(file: string): Promise<{ readonly handle: FileHandle; readonly sizeBytes: number }> {
  const handle = await open(file);
  const stats = await handle.stat();
  if (!stats.isDirectory()) return { handle, sizeBytes: stats.size };
  await handle.close();
  throw Object.assign(new Error(`${file} is a directory.`), { code: 'EISDIR', path: file });
}

const disposition = (name: string): string => `Content-Disposition: form-data; name="${name}"`;
