import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { copyDatabase, databaseFault, RecordsFile } from '../../records/sqlite/backup.js';
import { loadConfig, type Config } from '../config.js';
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
  const { records, firmware, damaged } = await copyRecords(config, partial, signal);
  if (!options.skipDamaged) refuseDamaged(damaged);
  return writeManifest(partial, {
    createdAt,
    temporal: isEmbedded ? 'embedded' : 'outside',
    changeBeforeRuns,
    counts: readRecords(join(partial, RECORDS), (copy) => copy.counts()),
    damaged: [...damaged],
    files: [
      ...runs,
      records,
      ...(await copyIfThere(config.paths.adminToken, partial, ADMIN_TOKEN)),
      // After the records: a newer file opens them too.
      ...(await copyIfThere(config.paths.secretKeys, partial, SECRET_KEYS)),
      ...firmware,
    ],
  });
}

/** The records, and every file that they count on. */
async function copyRecords({ paths, dataDir }: Config, partial: string, signal: AbortSignal | undefined) {
  for (let look = 1; ; look++) {
    const records = await copyDatabaseFile(paths.database, partial, RECORDS, signal);
    const needed = readRecords(join(partial, RECORDS), (copy) => copy.neededFiles());
    const { files, damaged } = await copyFirmware(needed, { from: dataDir, to: partial, signal });
    if (look >= LOOKS_MAX || !wasDeleted(paths.database, damaged)) return { records, firmware: files, damaged };
  }
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

/** Neither is there where the environment has always given it. */
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
