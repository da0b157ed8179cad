import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { copyDatabase, databaseFault, RecordsFile } from '../../records/sqlite/backup.js';
import { loadConfig, type Config } from '../config.js';
import { parseKeyFile, unitedKeys, writeKeyFile } from '../secret-keys.js';
import { BackupError } from './backup-error.js';
import { copyFile, settleFile } from './copying.js';
import { copyFirmware, MISSING, refuseDamaged, type Damaged } from './firmware-files.js';
import {
  ADMIN_TOKEN,
  RECORDS,
  RUNS,
  SECRET_KEYS,
  writeManifest,
  type Manifest,
  type ManifestFile,
} from './manifest.js';
import { fillFolder } from './target-folder.js';

export interface BackUpOptions {
  readonly to: string;
  /** Leaves out firmware whose file is missing or damaged, instead of refusing. */
  readonly skipDamaged?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Looks at the records, when firmware is deleted while its file is being copied. */
const LOOKS_MAX = 3;

/**
 * Backs up the data folder, beside a running service or without one. The runs are copied first: the records then know
 * all that the runs do, and what only the records know is told to the runs after a restore.
 *
 * @param env as `ferry up` has it
 * @throws BackupError or StartupError in words for people; nothing that looks like a backup is left then
 */
export async function backUp(env: NodeJS.ProcessEnv, options: BackUpOptions): Promise<Manifest> {
  const config = loadConfig(env);
  await requireData(config);
  return fillFolder(options.to, config.dataDir, (partial) => fill(config, partial, options));
}

async function fill(config: Config, partial: string, options: BackUpOptions): Promise<Manifest> {
  const createdAt = new Date().toISOString();
  const { signal } = options;
  const { paths } = config;
  const isEmbedded = config.temporal.address === undefined;
  const changeBeforeRuns = readRecords(paths.database, (records) => records.lastChange());
  const runs = isEmbedded ? [await copyDatabaseFile(paths.temporalDatabase, partial, RUNS, signal)] : [];
  const { records, keys, firmware, damaged } = await copyRecords(config, partial, signal);
  if (!options.skipDamaged) refuseDamaged(damaged);
  return writeManifest(partial, {
    createdAt,
    temporal: isEmbedded ? 'embedded' : 'outside',
    changeBeforeRuns,
    counts: readRecords(join(partial, RECORDS), (copy) => copy.counts()),
    damaged: [...damaged],
    keysElsewhere: keys.length === 0 && readRecords(join(partial, RECORDS), (copy) => copy.hasSealedSecrets()),
    files: [
      ...runs,
      records,
      ...(await copyIfThere(config.paths.adminToken, partial, ADMIN_TOKEN)),
      ...keys,
      ...firmware,
    ],
  });
}

/** The records, every file that they count on, and the keys that open their secrets. */
async function copyRecords(config: Config, partial: string, signal: AbortSignal | undefined) {
  const { paths, dataDir } = config;
  for (let look = 1; ; look++) {
    // A rotation adds a key before the records are copied, or forgets one after that: both files together have it.
    const keysBefore = keysIn(paths.secretKeys);
    const records = await copyDatabaseFile(paths.database, partial, RECORDS, signal);
    const keys = unitedKeys(keysIn(paths.secretKeys), keysBefore);
    const needed = readRecords(join(partial, RECORDS), (copy) => copy.neededFiles());
    const { files, damaged } = await copyFirmware(needed, { from: dataDir, to: partial, signal });
    const fault = secretsFault(join(partial, RECORDS), config.secretKeys ?? keys);
    if (look < LOOKS_MAX && (fault !== null || wasDeleted(paths.database, damaged))) continue;
    if (fault !== null) throw new BackupError(unopened(config, fault));
    return { records, keys: await writeKeys(keys, partial, signal), firmware: files, damaged };
  }
}

const keysIn = (path: string): readonly Buffer[] => (existsSync(path) ? parseKeyFile(path) : []);

/** Without any key, there is nothing to try: the environment of the service has it, and that of the backup has not. */
const secretsFault = (database: string, keys: readonly Buffer[]): string | null =>
  keys.length === 0 ? null : readRecords(database, (copy) => copy.secretsFault(keys));

const unopened = ({ paths, secretKeys }: Config, fault: string): string =>
  `Device secrets of this backup could never be read again: ${fault} ` +
  (secretKeys === undefined
    ? `Set FERRY_SECRET_KEY if "ferry up" has it; else ${paths.secretKeys} is not the one of these records.`
    : 'Set FERRY_SECRET_KEY as "ferry up" has it.');

async function writeKeys(
  keys: readonly Buffer[],
  partial: string,
  signal: AbortSignal | undefined,
): Promise<ManifestFile[]> {
  if (keys.length === 0) return [];
  const path = join(partial, SECRET_KEYS);
  writeKeyFile(path, keys);
  return [{ path: SECRET_KEYS, ...(await settleFile(path, signal)) }];
}

/** A missing file whose firmware was deleted after the look at the records: a newer look does not need it. */
const wasDeleted = (database: string, damaged: readonly Damaged[]): boolean =>
  readRecords(database, (live) => damaged.some(({ sha256, problem }) => problem === MISSING && !live.isNeeded(sha256)));

async function copyDatabaseFile(
  from: string,
  folder: string,
  name: typeof RECORDS | typeof RUNS,
  signal: AbortSignal | undefined,
): Promise<ManifestFile> {
  const to = join(folder, name);
  await copyDatabase(from, to, () => signal?.throwIfAborted()).catch((error: unknown) => {
    throw DAMAGE.test((error as { code?: string }).code ?? '') ? damagedDatabase(from, String(error)) : error;
  });
  const fault = databaseFault(to);
  if (fault !== null) throw damagedDatabase(from, fault);
  return { path: name, ...(await settleFile(to, signal)) };
}

const DAMAGE = /^SQLITE_(CORRUPT|NOTADB)/;
const damagedDatabase = (path: string, fault: string) =>
  new BackupError(`The database ${path} is damaged (${fault}). Restore an earlier backup, or repair it with sqlite3.`);

/** It is not there where the environment has always given it. */
async function copyIfThere(path: string, folder: string, name: string): Promise<ManifestFile[]> {
  try {
    return [{ path: name, ...(await copyFile(path, join(folder, name))) }];
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return [];
    throw error;
  }
}

async function requireData({ dataDir, paths, temporal }: Config): Promise<void> {
  const isThere = (path: string) =>
    stat(path).then(
      () => true,
      () => false,
    );
  if (!(await isThere(paths.database))) {
    throw new BackupError(`The data folder ${dataDir} holds no ${RECORDS}. Set FERRY_DATA_DIR as "ferry up" has it.`);
  }
  if (temporal.address === undefined && !(await isThere(paths.temporalDatabase))) {
    throw new BackupError(
      `The data folder ${dataDir} holds no ${RUNS}. Set TEMPORAL_ADDRESS as "ferry up" has it: the runs are kept there.`,
    );
  }
}

function readRecords<T>(path: string, read: (records: RecordsFile) => T): T {
  const records = new RecordsFile(path);
  try {
    return read(records);
  } finally {
    records.close();
  }
}
