import { mkdir, readdir, realpath, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { databaseFault, RecordsFile, type Credentials } from '../../records/sqlite/backup.js';
import { NO_SECRETS } from '../../records/sealing.js';
import { openSqliteRecords } from '../../records/sqlite/sqlite-records.js';
import { loadConfig, type Config } from '../config.js';
import { claimDataFolder, requireNoBackup, RESTORING } from '../data-folder.js';
import { PROJECT_FOLDER } from '../paths.js';
import { parseKeyFile } from '../secret-keys.js';
import { endOrphan } from '../temporal/own-process.js';
import { BackupError } from './backup-error.js';
import { copyFile, syncFolder, syncFolders } from './copying.js';
import { ADMIN_TOKEN, firmwarePath, readManifest, RECORDS, RUNS, SECRET_KEYS, type Manifest } from './manifest.js';

export interface RestoreOptions {
  readonly from: string;
  /** Moves data that is there aside, instead of refusing. */
  readonly replace?: boolean | undefined;
}

export interface Restored {
  readonly manifest: Manifest;
  readonly dataDir: string;
  /** Where the data went that was there before. */
  readonly movedAside: string | null;
  /** What is good again, although it may have been taken back since the backup. */
  readonly validAgain: ValidAgain;
  /** The service will run on another engine than the one that was backed up. */
  readonly otherEngine: boolean;
}

/** What opened the service, or the way to it, when the backup was made. */
export interface ValidAgain extends Credentials {
  readonly adminToken: boolean;
}

const MIGRATIONS = join(PROJECT_FOLDER, 'records', 'migrations');
const CLAIM = 'claim.lock';
const ASIDE = 'before-restore-';

/**
 * Restores a backup into the data folder, which no service may use. Everything is verified and made ready beside the
 * data first; while it is moved into place, a marker keeps the service from starting on a half-restored folder.
 *
 * @param env as `ferry up` has it
 * @throws BackupError or StartupError in words for people
 */
export async function restore(env: NodeJS.ProcessEnv, options: RestoreOptions): Promise<Restored> {
  const config = loadConfig(env);
  const from = resolve(options.from);
  await requireApart(from, config.dataDir);
  const manifest = await readManifest(from);
  await requireNoBackup(config.dataDir);
  const release = await claimDataFolder(config.dataDir);
  try {
    if (!options.replace && (await entriesOf(config.dataDir)).length > 0) {
      throw new BackupError(
        `The data folder ${config.dataDir} holds data already. Set FERRY_DATA_DIR to a new one, or move what is there aside by --replace.`,
      );
    }
    const staging = await stage(config, from, manifest);
    // A killed service leaves its Temporal behind, which would go on writing into the data.
    await endOrphan(config.paths.temporalProcess);
    // Only now: it has taken some of its files with it.
    const old = await entriesOf(config.dataDir);
    const movedAside = old.length === 0 ? null : await moveAside(config.dataDir, old);
    await moveIn(config.dataDir, staging);
    const isEmbedded = config.temporal.address === undefined;
    const otherEngine = isEmbedded !== (manifest.temporal === 'embedded');
    const validAgain = credentialsOf(config, manifest);
    return { manifest, dataDir: config.dataDir, movedAside, validAgain, otherEngine };
  } finally {
    release();
  }
}

/**
 * The backup stays as it is, whatever becomes of the data folder: links are followed, as two paths may be one folder.
 *
 * @throws BackupError when one of the folders is the other, or within it
 */
async function requireApart(from: string, dataDir: string): Promise<void> {
  const [backup, data] = [await realPathOf(from), await realPathOf(dataDir)];
  if (backup === data) {
    throw new BackupError(
      `${from} is the data folder itself, and nothing is restored into where it is. Set FERRY_DATA_DIR to another folder, ` +
        'or name the folder that "ferry backup" has made.',
    );
  }
  if (isWithin(data, backup)) {
    throw new BackupError(
      `The data folder ${dataDir} is within the backup ${from}, which stays as it is. Set FERRY_DATA_DIR to a folder outside of it.`,
    );
  }
  if (isWithin(backup, data)) {
    throw new BackupError(
      `The backup ${from} is within the data folder ${dataDir}, whose data is replaced. Move the backup out of it, best to another disk, and restore it from there.`,
    );
  }
}

function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** Also of a folder that is still to be made. */
async function realPathOf(path: string): Promise<string> {
  return realpath(path).catch(async () =>
    dirname(path) === path ? path : join(await realPathOf(dirname(path)), basename(path)),
  );
}

/** What counts as data: all but the claim, an unfinished restore, and what earlier restores have moved aside. */
const entriesOf = async (dataDir: string): Promise<string[]> =>
  (await readdir(dataDir)).filter((name) => ![CLAIM, RESTORING].includes(name) && !name.startsWith(ASIDE));

/** The whole new data, verified and durable, within the data folder: so that moving it into place can't cross disks. */
async function stage(config: Config, from: string, manifest: Manifest): Promise<string> {
  const staging = join(config.dataDir, RESTORING);
  const isFirst = (await mkdir(staging, { recursive: true, mode: 0o700 })) !== undefined;
  try {
    // What a killed restore left; the folder itself stays, as it keeps the service from starting.
    await emptyFolder(staging);
    await copyVerified(from, staging, manifest);
    verifyDatabases(from, staging, manifest);
    verifySecrets(config, { from, staging, manifest });
    await makeReady(join(staging, RECORDS), manifest);
    await syncFolders(staging);
    return staging;
  } catch (error) {
    await emptyFolder(staging);
    if (isFirst) await rmdir(staging);
    const { code } = error as { code?: string };
    if (code !== 'ENOSPC' && code !== 'EDQUOT' && code !== 'SQLITE_FULL') throw error;
    throw new BackupError(
      `There is no room in ${config.dataDir} (${code}); its data is as it was. Free room, and restore again.`,
    );
  }
}

function credentialsOf({ paths, adminToken }: Config, { files }: Manifest): ValidAgain {
  const records = new RecordsFile(paths.database);
  try {
    const isKept = adminToken === undefined && files.some(({ path }) => path === ADMIN_TOKEN);
    return { adminToken: isKept, ...records.credentials(Date.now()) };
  } finally {
    records.close();
  }
}

async function emptyFolder(path: string): Promise<void> {
  for (const name of await readdir(path)) await rm(join(path, name), { recursive: true });
}

async function copyVerified(from: string, staging: string, { files }: Manifest): Promise<void> {
  for (const { path, sizeBytes, sha256 } of files) {
    const copied = await copyFile(join(from, path), join(staging, path)).catch((error: unknown) => {
      if ((error as { code?: string }).code !== 'ENOENT') throw error;
      throw damaged(from, `${path} is missing`);
    });
    if (copied.sha256 !== sha256 || copied.sizeBytes !== sizeBytes) {
      throw damaged(from, `the content of ${path} differs from its digest`);
    }
  }
}

function verifyDatabases(from: string, staging: string, manifest: Manifest): void {
  for (const name of [RECORDS, ...(manifest.temporal === 'embedded' ? [RUNS] : [])]) {
    const fault = databaseFault(join(staging, name));
    if (fault !== null) throw damaged(from, `${name} is no sound database: ${fault}`);
  }
  const records = new RecordsFile(join(staging, RECORDS));
  try {
    if (records.isNewerThan(MIGRATIONS)) {
      throw new BackupError(
        `The backup ${from} was made by Ferry ${manifest.ferry}, whose records are newer than this one knows. Restore it with that Ferry.`,
      );
    }
    const there = new Set([
      ...manifest.files.map(({ path }) => path),
      ...manifest.damaged.map(({ sha256 }) => firmwarePath(sha256)),
    ]);
    const missing = records.neededFiles().find(({ sha256 }) => !there.has(firmwarePath(sha256)));
    if (missing) throw damaged(from, `it lacks the file of firmware ${missing.firmware}`);
  } finally {
    records.close();
  }
}

/** By the keys that the service will have: without them it would not start, and no device could sign in. */
function verifySecrets(
  { secretKeys }: Config,
  { from, staging, manifest }: { readonly from: string; readonly staging: string; readonly manifest: Manifest },
): void {
  const hasKeys = manifest.files.some(({ path }) => path === SECRET_KEYS);
  const keys = secretKeys ?? (hasKeys ? parseKeyFile(join(staging, SECRET_KEYS)) : []);
  const records = new RecordsFile(join(staging, RECORDS));
  try {
    if (keys.length === 0 && !records.hasSealedSecrets()) return;
    const fault =
      keys.length === 0 ? 'the keys that open its device secrets are not in it.' : records.secretsFault(keys);
    if (fault === null) return;
    const remedy =
      secretKeys === undefined
        ? 'Set FERRY_SECRET_KEY as the service had it when the backup was made'
        : hasKeys && records.secretsFault(parseKeyFile(join(staging, SECRET_KEYS))) === null
          ? 'Unset FERRY_SECRET_KEY: the keys are in the backup'
          : 'Put the key of that time behind the others in FERRY_SECRET_KEY, separated by a comma';
    throw new BackupError(
      `The backup ${from} can't be used: ${fault} ${remedy}, or restore another backup. Nothing was restored.`,
    );
  } finally {
    records.close();
  }
}

const damaged = (from: string, what: string): BackupError =>
  new BackupError(`The backup ${from} is damaged: ${what}. Nothing was restored; restore another backup.`);

async function makeReady(path: string, { temporal, changeBeforeRuns }: Manifest): Promise<void> {
  const records = openSqliteRecords({
    path,
    sealer: NO_SECRETS,
    synchronous: 'full',
    migrationsFolder: MIGRATIONS,
  });
  try {
    await records.engineRestored(temporal === 'embedded' ? changeBeforeRuns : null);
    await records.beginEra(Date.now());
  } finally {
    await records.close();
  }
}

/** Beside the data folder; within it, where it is a mounted disk. @returns where */
async function moveAside(dataDir: string, entries: readonly string[]): Promise<string> {
  const time = new Date().toISOString().replace(/[-:.]/g, '');
  const within = join(dataDir, `${ASIDE}${time}`);
  try {
    return await moveInto(`${dataDir}.${ASIDE}${time}`, dataDir, entries);
  } catch (error) {
    const { code = '' } = error as { code?: string };
    if (!['EXDEV', 'EACCES', 'EROFS', 'EPERM'].includes(code)) throw error;
    return moveInto(within, dataDir, entries);
  }
}

async function moveInto(folder: string, dataDir: string, entries: readonly string[]): Promise<string> {
  await mkdir(folder, { mode: 0o700 });
  try {
    for (const name of entries) await rename(join(dataDir, name), join(folder, name));
  } catch (error) {
    // Of another disk: nothing has been moved.
    await rmdir(folder).catch(() => undefined);
    throw error;
  }
  await syncFolder(folder);
  await syncFolder(dirname(folder));
  return folder;
}

/** The marker goes last: until then, the service refuses to start. */
async function moveIn(dataDir: string, staging: string): Promise<void> {
  for (const name of await readdir(staging)) await rename(join(staging, name), join(dataDir, name));
  await syncFolder(dataDir);
  await rmdir(staging);
  await syncFolder(dataDir);
}
