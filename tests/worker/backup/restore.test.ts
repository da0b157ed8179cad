import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { backUp } from '../../../worker/backup/back-up.js';
import type { ManifestFile } from '../../../worker/backup/manifest.js';
import { restore } from '../../../worker/backup/restore.js';
import { claimDataFolder } from '../../../worker/data-folder.js';
import { rebuildOffline } from '../../../worker/rebuild/offline.js';
import { up } from '../../../worker/up.js';
import { serviceEnvironment } from '../../support/service-environment.js';
import { World } from './world.js';

let world: World;
let backup: string;
let file: string;
let fresh: NodeJS.ProcessEnv;
beforeEach(async () => {
  world = await World.create();
  file = await world.firmware('2.0.0');
  backup = world.path('backup');
  await backUp(world.env, { to: backup });
  fresh = { FERRY_DATA_DIR: world.path('fresh') };
});
afterEach(() => world.remove());

const entries = async (folder: string): Promise<string[]> => (await readdir(folder)).sort();
const refusal = (env: NodeJS.ProcessEnv = fresh): Promise<string> =>
  restore(env, { from: backup }).then(() => 'restored', String);

describe('a restore', () => {
  it('brings back what was backed up, and leaves the backup as it is', async () => {
    const before = await entries(backup);
    const restored = await restore(fresh, { from: backup });
    expect(restored).toMatchObject({ movedAside: null, otherEngine: false });
    expect(await readFile(world.path('fresh', 'admin-token'), 'utf8')).toBe('the-token-of-the-admin\n');
    expect(await readFile(world.path('fresh', file), 'utf8')).toBe('firmware 2.0.0');
    expect((await stat(world.path('fresh', 'admin-token'))).mode & 0o777).toBe(0o600);
    expect(await entries(world.path('fresh'))).toEqual([
      ...['admin-token', 'claim.lock', 'ferry.db', 'files', 'temporal.db'],
    ]);
    expect(await entries(backup)).toEqual(before);
  });

  it('is refused where a service runs, with or without --replace', async () => {
    const release = await claimDataFolder(world.dataDir);
    for (const replace of [false, true]) {
      await expect(restore(world.env, { from: backup, replace })).rejects.toThrow('in use by a running Ferry');
    }
    release();
  });

  it('is refused where data is, and with --replace moves it aside without losing any of it', async () => {
    expect(await refusal(world.env)).toMatch(/holds data already.*--replace/);
    const later = await world.firmware('3.0.0');
    const { movedAside } = await restore(world.env, { from: backup, replace: true });
    expect(movedAside).toMatch(/data\.before-restore-\d{8}T\d+Z$/);
    expect(await readFile(join(movedAside ?? '', later), 'utf8')).toBe('firmware 3.0.0');
    expect(await entries(movedAside ?? '')).toEqual(['admin-token', 'ferry.db', 'files', 'temporal.db']);
    await expect(stat(join(world.dataDir, later))).rejects.toThrow();
    expect(await world.records((records) => records.getFirmware('3.0.0'))).toBeUndefined();
    expect(await world.records((records) => records.getFirmware('2.0.0'))).toBeDefined();
  });

  it('ends the Temporal that a killed service has left, before it moves its data aside', async () => {
    const database = join(world.dataDir, 'temporal.db');
    // A process that is known by its command line; its note goes when it is ended.
    const script = `process.on('SIGTERM', () => process.exit()); setInterval(() => 0, 1000); process.stdout.write('up')`;
    const orphan = spawn(process.execPath, ['-e', script, database], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(orphan.stdout, 'data');
    await writeFile(join(world.dataDir, 'temporal.json'), JSON.stringify({ pid: orphan.pid, database }));
    const exited = once(orphan, 'exit');
    await restore(world.env, { from: backup, replace: true });
    await exited;
    expect(await entries(world.dataDir)).toEqual(['admin-token', 'claim.lock', 'ferry.db', 'files', 'temporal.db']);
  });

  it('leaves the data as it was when the backup is damaged, also with --replace', async () => {
    await appendFile(join(backup, 'temporal.db'), 'x');
    const before = await entries(world.dataDir);
    await expect(restore(world.env, { from: backup, replace: true })).rejects.toThrow('damaged');
    expect((await entries(world.dataDir)).filter((name) => name !== 'claim.lock')).toEqual(before);
    expect(await world.records((records) => records.getFirmware('2.0.0'))).toBeDefined();
  });

  it('says so when the service will run on another engine', async () => {
    const env = { ...fresh, TEMPORAL_ADDRESS: 'temporal.example:7233' };
    expect(await restore(env, { from: backup })).toMatchObject({ otherEngine: true });
  });
});

describe('a backup that was tampered with, or is not for this Ferry, is refused by what is wrong', () => {
  afterEach(async () => {
    // Nothing that a service could start on.
    const left = await entries(world.path('fresh')).catch(() => []);
    expect(left.filter((name) => name !== 'claim.lock')).toEqual([]);
  });

  it('a changed firmware file', async () => {
    await writeFile(join(backup, file), 'firmware 2.0.1');
    expect(await refusal()).toMatch(/damaged: the content of files\/.* differs from its digest/);
  });

  it('a missing firmware file', async () => {
    await rm(join(backup, file));
    expect(await refusal()).toMatch(/damaged: files\/.* is missing/);
  });

  it.each(['ferry.db', 'temporal.db'])('a changed %s', async (name) => {
    await writeFile(join(backup, name), Buffer.from('x'), { flag: 'r+' });
    expect(await refusal()).toContain(`the content of ${name} differs from its digest`);
  });

  it('a database that is broken, though its digest is right', async () => {
    const content = Buffer.from('this is no database, but long enough for one'.repeat(50));
    await writeFile(join(backup, 'temporal.db'), content);
    const sha256 = createHash('sha256').update(content).digest('hex');
    await changeFiles((files) =>
      files.map((each) => (each.path === 'temporal.db' ? { ...each, sha256, sizeBytes: content.length } : each)),
    );
    expect(await refusal()).toContain('temporal.db is no sound database');
  });

  it('a missing manifest, or one that is none', async () => {
    await writeFile(join(backup, 'manifest.json'), '{ "format": 1');
    expect(await refusal()).toMatch(
      /manifest\.json is no whole JSON document: it was cut off or changed\. Restore another backup\./,
    );
    await rm(join(backup, 'manifest.json'));
    expect(await refusal()).toMatch(/is no backup: manifest\.json can't be read \(ENOENT\)/);
  });

  it('a manifest of a newer format', async () => {
    await world.changeManifest(backup, (manifest) => ({ ...manifest, format: 2 }));
    expect(await refusal()).toMatch(/format must be 1: another Ferry made this backup/);
  });

  it('records of a newer Ferry, by its version', async () => {
    const newer = new Database(join(world.dataDir, 'ferry.db'));
    newer.exec(`INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('newer', 9999999999999)`);
    newer.close();
    await rm(backup, { recursive: true });
    await backUp(world.env, { to: backup });
    expect(await refusal()).toMatch(/was made by Ferry \d+\.\d+\.\d+, whose records are newer/);
  });

  it('a manifest that lacks the records, the runs, or a firmware file', async () => {
    for (const [path, told] of [
      ['ferry.db', 'does not name ferry.db'],
      ['temporal.db', 'does not name temporal.db'],
      [file, 'lacks the file of firmware lamp main@2.0.0'],
    ] as const) {
      const kept = await readFile(join(backup, 'manifest.json'));
      await changeFiles((files) => files.filter((each) => each.path !== path));
      expect(await refusal()).toContain(told);
      await writeFile(join(backup, 'manifest.json'), kept);
    }
  });

  it('a manifest that names a path outside of its folder', async () => {
    await writeFile(world.path('outside'), 'x');
    await changeFiles((files) => [...files, { ...files[0], path: '../outside' }]);
    expect(await refusal()).toContain('is no path of a backup');
  });

  const changeFiles = (change: (files: ManifestFile[]) => Partial<ManifestFile>[]) =>
    world.changeManifest(backup, (manifest) => ({ ...manifest, files: change(manifest.files) }));
});

describe('a backup and the data folder are kept apart', () => {
  const contents = async (folder: string): Promise<Record<string, string>> => {
    const names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((each) => each.isFile());
    const read = names.map(async ({ parentPath, name }) => [
      relative(folder, join(parentPath, name)),
      await readFile(join(parentPath, name), 'base64'),
    ]);
    return Object.fromEntries(await Promise.all(read)) as Record<string, string>;
  };
  let before: Record<string, string>;
  beforeEach(async () => {
    before = await contents(backup);
  });
  afterEach(async () => {
    expect(await contents(backup)).toEqual(before);
    // A folder beside it is what data would have been moved aside to.
    expect((await entries(world.folder)).filter((name) => name.startsWith('backup.'))).toEqual([]);
  });

  it('a service does not start on a backup, says how to restore it, and leaves it as it is', async () => {
    const started = up(serviceEnvironment(backup, { TEMPORAL_CLI: '/bin/false' }));
    await expect(started).rejects.toThrow(
      `FERRY_DATA_DIR: ${backup} is a backup, and no service runs on one. Restore it into another folder: FERRY_DATA_DIR=<new folder> ferry restore ${backup}`,
    );
  });

  it('the records of a backup are not rebuilt in it', async () => {
    const rebuilt = rebuildOffline({ FERRY_DATA_DIR: backup }, { onSlow: () => undefined, onTask: () => undefined });
    await expect(rebuilt).rejects.toThrow('is a backup, and no service runs on one');
  });

  it.each([false, true])('a restore of the data folder into itself is refused (--replace: %s)', async (replace) => {
    const link = world.path('link');
    await symlink(backup, link);
    for (const dataDir of [backup, link]) {
      const restored = restore({ FERRY_DATA_DIR: dataDir }, { from: backup, replace });
      await expect(restored).rejects.toThrow(/is the data folder itself.*Set FERRY_DATA_DIR to another folder/);
    }
  });

  it('a restore into a folder within the backup is refused, also by way of a link', async () => {
    await symlink(world.folder, world.path('link'));
    for (const dataDir of [join(backup, 'data', 'ferry'), world.path('link', 'backup', 'data')]) {
      const restored = restore({ FERRY_DATA_DIR: dataDir }, { from: backup });
      await expect(restored).rejects.toThrow(/data folder .* is within the backup .*Set FERRY_DATA_DIR to a folder/);
    }
  });

  it('a restore of a backup within the data folder is refused: it would be moved aside with the data', async () => {
    const restored = restore({ FERRY_DATA_DIR: world.folder }, { from: backup, replace: true });
    await expect(restored).rejects.toThrow(/backup .* is within the data folder .*Move the backup out of it/);
    expect(await entries(world.folder)).toEqual(['backup', 'data']);
  });

  it('a restore into another backup is refused, also with --replace', async () => {
    const other = world.path('other');
    await backUp(world.env, { to: other });
    const restored = restore({ FERRY_DATA_DIR: other }, { from: backup, replace: true });
    await expect(restored).rejects.toThrow(`${other} is a backup, and no service runs on one`);
    expect(await entries(other)).toContain('manifest.json');
  });
});

describe('a restore that was killed', () => {
  it('keeps the service from starting, until it is repeated', async () => {
    await mkdir(join(world.dataDir, 'restoring'));
    const old = new Database(join(world.dataDir, 'restoring', 'ferry.db'));
    old.exec('CREATE TABLE half (done)');
    old.close();
    await expect(up(world.env)).rejects.toThrow(/was not finished\. Repeat it: ferry restore <backup> --replace/);
    // One that fails changes nothing about that.
    await expect(restore(world.env, { from: world.path('none'), replace: true })).rejects.toThrow('is no backup');
    await writeFile(join(backup, 'temporal.db'), 'x');
    await expect(restore(world.env, { from: backup, replace: true })).rejects.toThrow('damaged');
    await expect(up(world.env)).rejects.toThrow('was not finished');
    await rm(backup, { recursive: true });
    await backUp(world.env, { to: backup });
    await restore(world.env, { from: backup, replace: true });
    expect(await entries(world.dataDir)).not.toContain('restoring');
  });
});
