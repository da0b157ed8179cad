import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';

/**
 * A multipart body that reads its file while it is sent.
 *
 * @param onProgress bytes of the file sent so far, and its size
 * @throws the file system's error when the file can't be read
 */
export async function uploadBody(
  file: string,
  fields: Readonly<Record<string, string | undefined>>,
  onProgress: (sentBytes: number, totalBytes: number) => void = () => undefined,
): Promise<{ readonly body: ReadableStream<Uint8Array>; readonly contentType: string }> {
  const { size: totalBytes } = await stat(file);
  const boundary = `ferry-${randomBytes(12).toString('hex')}`;

  async function* pieces(): AsyncGenerator<Buffer, void> {
    for (const [name, value] of Object.entries(fields)) {
      if (value !== undefined) yield Buffer.from(`--${boundary}\r\n${disposition(name)}\r\n\r\n${value}\r\n`);
    }
    const fileName = encodeURIComponent(basename(file));
    const type = 'Content-Type: application/octet-stream';
    yield Buffer.from(`--${boundary}\r\n${disposition('file')}; filename="${fileName}"\r\n${type}\r\n\r\n`);
    let sentBytes = 0;
    for await (const piece of createReadStream(file) as AsyncIterable<Buffer>) {
      yield piece;
      sentBytes += piece.length;
      onProgress(sentBytes, totalBytes);
    }
    yield Buffer.from(`\r\n--${boundary}--\r\n`);
  }

  const source = pieces();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const piece = await source.next();
      if (piece.done === true) controller.close();
      else controller.enqueue(piece.value);
    },
    async cancel() {
      await source.return(undefined);
    },
  });
  return { body, contentType: `multipart/form-data; boundary=${boundary}` };
}

const disposition = (name: string): string => `Content-Disposition: form-data; name="${name}"`;
