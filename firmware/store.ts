import type { Readable } from 'node:stream';
import { FerryError } from '../domain/errors.js';

/** What storing a file found out about it while it streamed. */
export interface StoredFile {
  readonly sizeBytes: number;
  /** Lower-case hex: also the content address. */
  readonly sha256: string;
  /** Lower-case hex. */
  readonly md5: string;
}

/**
 * A file that was put in. It is at its address already, and until it is settled the upload has the content once more
 * for itself: two uploads of the same content can't take the file from each other.
 */
export interface StoredUpload extends StoredFile {
  /** The records have it: the file is at its address now, also if another upload has removed it meanwhile. */
  keep(): Promise<void>;
  /** The records refused it: it goes, unless `isUsed` answers that a firmware needs the content. */
  discard(isUsed: () => Promise<boolean>): Promise<void>;
}

export interface StoredAddress {
  readonly sha256: string;
  readonly storedAtMs: number;
}

export type Integrity = 'intact' | 'corrupt' | 'missing';

/** The first and the last byte, both inclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Stored firmware files, addressed by their SHA-256. The local folder comes first; an object store fits the same
 * streams.
 */
export interface FirmwareStore {
  /**
   * Streams a file in, digests included. Past `bytesMax` it stops reading, and nothing stays behind. The caller settles
   * what it answers, by `keep` or `discard`.
   *
   * @throws FerryError `firmware-too-large`, `firmware-empty`
   */
  put(file: Readable, bytesMax: number): Promise<StoredUpload>;
  /**
   * The bytes of a range, or all, of a file whose content is what its address says.
   *
   * @throws FerryError `firmware-file-damaged` before any byte, when it is not, or not there
   */
  read(sha256: string, range?: ByteRange): Promise<Readable>;
  /** Compares the file's content with its address; again only when the file has changed since. */
  isIntact(sha256: string): Promise<Integrity>;
  /** Every stored file. */
  list(): Promise<readonly StoredAddress[]>;
  /** Removes the file if it is there, unless `isUsed` answers that a firmware needs it. */
  remove(sha256: string, isUsed: () => Promise<boolean>): Promise<void>;
}

/** The refusal to serve a file that is not what it should be. */
export const damaged = (integrity: Exclude<Integrity, 'intact'>): FerryError =>
  new FerryError(
    'firmware-file-damaged',
    `The stored firmware file is ${integrity}. Add the same file again: that repairs it, and waiting updates go on.`,
  );

/** The refusal of a file that is larger than the limit. */
export const tooLarge = (bytesMax: number): FerryError =>
  new FerryError(
    'firmware-too-large',
    `The file has more than ${bytesMax} bytes, the most that a firmware may have. FERRY_FIRMWARE_BYTES_MAX of the service sets that limit.`,
    {
      bytesMax,
    },
  );
