import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import { FerryError, invalidField } from '../domain/errors.js';

export type Fields = ReadonlyMap<string, string>;

/** What to do with the one file of the form. */
export interface FileTaker<T> {
  /** Consumes the file; `fields` are those that came before it. A rejection refuses the whole form. */
  take(file: Readable, fields: Fields): Promise<T>;
  /** Undoes `take`: the form was refused after it. */
  drop(taken: T): Promise<void>;
}

const FIELD_BYTES_MAX = 1_024;
const PARTS_MAX = 16;
const LIMITS = {
  fieldNameSize: 100,
  fieldSize: FIELD_BYTES_MAX,
  parts: PARTS_MAX,
  headerPairs: 16,
  headerSize: 8 * 1_024,
};
/** How much of a refused form is read off, so that a client that sends before it reads still gets the answer. */
const DRAIN_MS = 5_000;
const DRAIN_BYTES_MAX = 64 * 1_024 * 1_024;

/**
 * Reads a form of fields and one file, which is streamed; fields may stand before or after it.
 *
 * @param fieldNames the fields that the form may have, each once
 * @throws FerryError for a form that is malformed or breaks off, or has missing, unknown or repeated parts; whatever
 *   `take` throws
 */
export async function readForm<T>(
  request: { readonly body: Readable; readonly headers: IncomingHttpHeaders },
  fieldNames: readonly string[],
  taker: FileTaker<T>,
): Promise<{ readonly fields: Fields; readonly taken: T }> {
  try {
    return await new FormReading(parserOf(request.headers), fieldNames, taker).read(request.body);
  } catch (error) {
    await drain(request.body);
    throw error;
  }
}

function parserOf(headers: IncomingHttpHeaders): BusboyInstance {
  const contentType = headers['content-type'] ?? '';
  if (!/^multipart\/form-data(;|$)/i.test(contentType)) {
    throw new FerryError('unsupported-media-type', 'Send the firmware as multipart/form-data with a part "file".');
  }
  try {
    return new Busboy({ headers: { ...headers, 'content-type': contentType }, limits: LIMITS });
  } catch {
    throw invalidField('Content-Type', 'must name the boundary of the multipart form');
  }
}

/** One form on its way in. The first refusal ends it. */
class FormReading<T> {
  private readonly fields = new Map<string, string>();
  private file: Readable | undefined;
  private taking: Promise<T> | undefined;

  constructor(
    private readonly parser: BusboyInstance,
    private readonly fieldNames: readonly string[],
    private readonly taker: FileTaker<T>,
  ) {}

  async read(body: Readable): Promise<{ fields: Fields; taken: T }> {
    try {
      await this.parse(body);
      if (!this.taking) throw invalidField('file', 'is required, as a file part');
      return { fields: this.fields, taken: await this.taking };
    } catch (error) {
      body.unpipe(this.parser);
      this.file?.destroy(error instanceof Error ? error : undefined);
      // Nothing of the file may stay behind, however far it has come.
      const taken = await this.taking?.catch(() => undefined);
      if (taken !== undefined) await this.taker.drop(taken);
      throw error;
    }
  }

  private parse(body: Readable): Promise<void> {
    return new Promise((resolve, reject) => {
      const refuse = (field: string, message: string) => reject(invalidField(field, message));
      this.parser.on('field', (name, value, _nameTruncated, valueTruncated, transferEncoding) => {
        if (isEncoded(transferEncoding)) return refuse(name, notDecoded(transferEncoding));
        if (name === 'file') return refuse(name, 'must be a file part: give it a file name');
        if (!this.fieldNames.includes(name)) return refuse(name, 'is not known here');
        if (this.fields.has(name)) return refuse(name, 'is given twice');
        if (valueTruncated) return refuse(name, `must have at most ${FIELD_BYTES_MAX} bytes`);
        this.fields.set(name, value);
      });
      this.parser.on('file', (name, file, _fileName, transferEncoding) => {
        // A form that breaks off also breaks off its file; whoever reads it hears of it there.
        file.on('error', () => undefined);
        if (name !== 'file') return refuse(name, 'is not known here as a file');
        if (this.file) return refuse(name, 'is given twice');
        if (isEncoded(transferEncoding)) return refuse(name, notDecoded(transferEncoding));
        this.file = file;
        this.taking = this.taker.take(file, this.fields);
        this.taking.catch(reject);
      });
      this.parser.on('partsLimit', () => refuse('body', `must have at most ${PARTS_MAX} parts`));
      this.parser.on('error', () => refuse('body', 'is not a whole multipart form'));
      this.parser.on('finish', resolve);
      body.on('error', () => refuse('body', 'broke off'));
      body.on('close', () => {
        if (!body.readableEnded) refuse('body', 'broke off');
      });
      body.pipe(this.parser);
    });
  }
}

/** Forms of HTTP are sent as they are [RFC 7578 4.7]: what is encoded as in mail would be stored in its encoding. */
const isEncoded = (transferEncoding: string): boolean => !/^(7bit|8bit|binary)?$/i.test(transferEncoding);
const notDecoded = (transferEncoding: string): string =>
  `must not have the Content-Transfer-Encoding ${transferEncoding.slice(0, 32)}; send the part as it is, without that header`;

/** Reads on, within bounds, until the client has sent all. */
function drain(body: Readable): Promise<void> {
  if (body.readableEnded || body.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let bytes = 0;
    const timer = setTimeout(done, DRAIN_MS);
    function done() {
      clearTimeout(timer);
      body.off('data', count).off('end', done).off('close', done).off('error', done);
      resolve();
    }
    function count(piece: Buffer) {
      bytes += piece.length;
      if (bytes > DRAIN_BYTES_MAX) done();
    }
    body.on('data', count).on('end', done).on('close', done).on('error', done).resume();
  });
}
