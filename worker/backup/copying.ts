import { createHash } from 'node:crypto';
import { chmod, mkdir, open, readdir, rename, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** A file by its content. */
export interface FileDigest {
  readonly sizeBytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

const PIECE_BYTES = 1024 * 1024;

/** Copies a file and makes it durable; only its owner may read it. @returns the digest of what was read */
export async function copyFile(from: string, to: string, signal?: AbortSignal): Promise<FileDigest> {
  const source = await open(from, 'r');
  try {
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    const target = await open(to, 'wx', 0o600);
    try {
      const digest = await digestPieces(source, signal, (piece) => target.writeFile(piece));
      await target.sync();
      return digest;
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** Makes a file durable that is there already, readable for its owner only. @returns its digest */
export async function settleFile(path: string, signal?: AbortSignal): Promise<FileDigest> {
  await chmod(path, 0o600);
  const file = await open(path, 'r+');
  try {
    const digest = await digestPieces(file, signal);
    await file.sync();
    return digest;
  } finally {
    await file.close();
  }
}

async function digestPieces(
  file: FileHandle,
  signal: AbortSignal | undefined,
  take: (piece: Uint8Array) => Promise<void> = () => Promise.resolve(),
): Promise<FileDigest> {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(PIECE_BYTES);
  let sizeBytes = 0;
  for (;;) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, PIECE_BYTES, null);
    if (bytesRead === 0) return { sizeBytes, sha256: hash.digest('hex') };
    const piece = buffer.subarray(0, bytesRead);
    hash.update(piece);
    sizeBytes += bytesRead;
    await take(piece);
  }
}

/** Puts a file into the place of another, on the same disk: a power cut leaves the one or the other, and that whole. */
export async function replaceFile(from: string, to: string): Promise<void> {
  const file = await open(from, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(from, to);
  await syncFolder(dirname(to));
}

/** Names are durable once their folder is. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The same for a folder and all folders in it, the innermost first. */
export async function syncFolders(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncFolders(join(path, entry.name));
  }
  await syncFolder(path);
}
