import { watch, type FSWatcher } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Logger } from 'pino';
import { StartupError } from './startup-error.js';

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Of the authority that has signed the devices' certificates. */
  readonly clientCa: string | undefined;
}

/** Certificate and key from their files, read again whenever these change. */
export interface ReloadingTls {
  readonly options: SecureContextOptions;
  onExchange(exchanged: (options: SecureContextOptions) => void): () => void;
  /** Reads them again now. A pair that is broken is logged, and the one before stays. */
  reload(): Promise<void>;
  stop(): void;
}

/** Tools write certificate and key one after the other. */
const SETTLE_MS = 250;

/** @throws StartupError for files that can't be read, or that are no pair */
export async function openTls(files: TlsFiles, log: Pick<Logger, 'info' | 'error'>): Promise<ReloadingTls> {
  let current = await readTls(files).catch((error: unknown) => {
    throw new StartupError(
      `FERRY_TLS_CERT, FERRY_TLS_KEY: ${error instanceof Error ? error.message : String(error)}. Make a set for trying out by "ferry tls create".`,
    );
  });
  const listeners = new Set<(options: SecureContextOptions) => void>();
  let timer: NodeJS.Timeout | undefined;

  async function reload(): Promise<void> {
    try {
      const next = await readTls(files);
      if (JSON.stringify(next) === JSON.stringify(current)) return;
      current = next;
      for (const exchange of listeners) exchange(current);
      log.info({ cert: files.cert }, 'the TLS certificate was read again');
    } catch (error) {
      log.error({ err: error, cert: files.cert }, 'the new TLS certificate is broken; the one before stays');
    }
  }
  const reloadSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => void reload(), SETTLE_MS);
  };
  // Folders, since files are replaced by renaming, and by exchanging what a folder's link points to.
  const names = new Set(Object.values(files).map((file: string | undefined) => basename(file ?? '')));
  const folders = new Set(
    [files.cert, files.key, ...(files.clientCa === undefined ? [] : [files.clientCa])].map(dirname),
  );
  const watchers: FSWatcher[] = Array.from(folders, (folder) =>
    watch(folder, (_event, name) => {
      if (name === null || names.has(name) || name.startsWith('..')) reloadSoon();
    }).on('error', (error) => log.error({ err: error, folder }, 'the TLS certificate can not be watched')),
  );
  const onHangUp = () => void reload();
  process.on('SIGHUP', onHangUp);

  return {
    get options() {
      return current;
    },
    onExchange(exchanged) {
      listeners.add(exchanged);
      return () => listeners.delete(exchanged);
    },
    reload,
    stop() {
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
      process.off('SIGHUP', onHangUp);
    },
  };
}

/** Why the file can't be read, in words. */
export async function fileProblem(path: string): Promise<string | undefined> {
  try {
    await readFile(path, 'utf8');
    return undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    const reasons: Readonly<Record<string, string>> = {
      ENOENT: 'does not exist',
      EACCES: 'may not be read by this user',
      EISDIR: 'is a folder',
    };
    return `the file ${path} ${reasons[code] ?? `can't be read (${code})`}`;
  }
}

/** @throws Error when they can't be read, or are no pair */
export async function readTls({ cert, key, clientCa }: TlsFiles): Promise<SecureContextOptions> {
  const options = {
    cert: await readFile(cert, 'utf8'),
    key: await readFile(key, 'utf8'),
    ...(clientCa === undefined ? {} : { ca: await readFile(clientCa, 'utf8') }),
  };
  createSecureContext(options); // throws when they are no pair
  return options;
}
