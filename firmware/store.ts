import type { Readable } from 'node:stream';

/** What storing a file found out about it while it streamed. */
export interface StoredFile {
  readonly sizeBytes: number;
  /** Lower-case hex: also the content address. */
  readonly sha256: string;
  /** Lower-case hex. */
  readonly md5: string;
}

/**
 * Stored firmware files, addressed by their SHA-256. The local folder comes first; an object store fits the same
 * streams.
 */
export interface FirmwareStore {
  /**
   * Streams a file in, digests included. Past `bytesMax` it stops reading, and nothing stays behind.
   *
   * @throws FerryError `firmware-too-large`, `firmware-empty`
   */
  put(file: Readable, bytesMax: number): Promise<StoredFile>;
  /** The bytes from `start` to `end` (both inclusive). Rejects when the file is not there. */
  read(sha256: string, range?: { readonly start: number; readonly end: number }): Promise<Readable>;
  /** Removes the file if it is there. The caller makes sure that no firmware uses it. */
  remove(sha256: string): Promise<void>;
}
