import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { backUp } from '../../../worker/backup/back-up.js';
import { restore } from '../../../worker/backup/restore.js';
import { World } from './world.js';

let world: World;
beforeEach(async () => {
  world = await World.create();
});
afterEach(() => world.remove());

const names = async (): Promise<string[]> => (await readdir(world.folder)).sort();
const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

describe('a backup', () => {
  it('holds records, runs, token and firmware files, named with their digests; only its owner may read it', async () => {
    const file = await world.firmware('2.0.0');
    const to = world.path('backup');
    const manifest = await backUp(world.env, { to });
    expect(manifest).toMatchObject({ temporal: 'embedded', counts: { products: 1, firmware: 1 }, damaged: [] });
    expect(manifest.files.map(({ path }) => path).sort()).toEqual(['admin-token', 'ferry.db', file, 'temporal.db']);
    expect(await readFile(join(to, file), 'utf8')).toBe('firmware 2.0.0');
    expect((await readdir(to)).sort()).toEqual(['admin-token', 'ferry.db', 'files', 'manifest.json', 'temporal.db']);
    expect(await modeOf(to)).toBe(0o700);
    for (const { path } of manifest.files) expect(await modeOf(join(to, path)), path).toBe(0o600);
    expect(await names()).toEqual(['backup', 'data']);
  });

  it.each(['a b', 'C#work', '50%25', 'q?x=1'])('is whole where the folders are named %s', async (name) => {
    await mkdir(world.path(name));
    const data = world.path(name, 'data');
    await rename(world.dataDir, data);
    const to = world.path(name, 'backup');
    expect(await backUp({ FERRY_DATA_DIR: data }, { to })).toMatchObject({ counts: { products: 1 } });
    const restored = world.path(name, 'restored');
    await restore({ FERRY_DATA_DIR: restored }, { from: to });
    expect((await readdir(restored)).sort()).toEqual(['admin-token', 'claim.lock', 'ferry.db', 'temporal.db']);
    expect(await names()).toEqual([name]);
  });

  it('goes into an empty folder, and never into one that holds anything', async () => {
    const to = world.path('backup');
    await mkdir(to);
    await backUp(world.env, { to });
    const before = await readFile(join(to, 'manifest.json'), 'utf8');
    await expect(backUp(world.env, { to })).rejects.toThrow(/is not empty.*empty folder/);
    expect(await readFile(join(to, 'manifest.json'), 'utf8')).toBe(before);
    await writeFile(world.path('file'), '');
    await expect(backUp(world.env, { to: world.path('file') })).rejects.toThrow('is a file');
  });

  it('does not go into the data folder itself', async () => {
    await expect(backUp(world.env, { to: join(world.dataDir, 'backup') })).rejects.toThrow('outside of it');
    await expect(backUp(world.env, { to: world.dataDir })).rejects.toThrow('outside of it');
  });

  it('names every firmware whose file is damaged or missing, and leaves nothing', async () => {
    const [damaged, missing] = [await world.firmware('2.0.0'), await world.firmware('3.0.0')];
    await writeFile(join(world.dataDir, damaged), 'something else');
    await rm(join(world.dataDir, missing));
    const refused = await backUp(world.env, { to: world.path('backup') }).catch(String);
    expect(refused).toMatch(/lamp main@2\.0\.0: the content of files\/.* differs from its digest/);
    expect(refused).toMatch(/lamp main@3\.0\.0: its file is missing[\s\S]*--skip-damaged/);
    expect(await names()).toEqual(['data']);
  });

  it('goes without damaged files when that is asked for, and says so', async () => {
    const [damaged, good] = [await world.firmware('2.0.0'), await world.firmware('3.0.0')];
    await writeFile(join(world.dataDir, damaged), 'something else');
    const manifest = await backUp(world.env, { to: world.path('backup'), skipDamaged: true });
    expect(manifest.damaged).toMatchObject([{ firmware: 'lamp main@2.0.0' }]);
    expect(manifest.files.map(({ path }) => path)).toContain(good);
    await expect(stat(world.path('backup', damaged))).rejects.toThrow();
  });

  it('holds no file of deleted firmware', async () => {
    const file = await world.firmware('2.0.0');
    await world.records((records) => records.deleteFirmware('2.0.0', 2));
    await rm(join(world.dataDir, file));
    expect((await backUp(world.env, { to: world.path('backup') })).counts).toMatchObject({ firmware: 0 });
  });

  it('looks at the records again when firmware is deleted while it copies', async () => {
    const file = await world.firmware('2.0.0');
    const kept = await world.firmware('3.0.0');
    let steps = 0;
    // Between two steps of the copying of the records, which come second: too late for this copy of them.
    const throwIfAborted = () => {
      if (++steps !== 2) return;
      const live = new Database(join(world.dataDir, 'ferry.db'));
      live.exec(`UPDATE firmware SET deleted_at_ms = 2 WHERE version = '2.0.0'`);
      live.close();
      rmSync(join(world.dataDir, file));
    };
    const signal = { aborted: false, throwIfAborted } as AbortSignal;
    const manifest = await backUp(world.env, { to: world.path('backup'), signal });
    expect(steps).toBeGreaterThan(2);
    expect(manifest).toMatchObject({ counts: { firmware: 1 }, damaged: [] });
    expect(manifest.files.map(({ path }) => path).filter((path) => path.startsWith('files/'))).toEqual([kept]);
  });

  it('of a service with an outside Temporal says that the runs are not in it', async () => {
    const env = { ...world.env, TEMPORAL_ADDRESS: 'temporal.example:7233' };
    const manifest = await backUp(env, { to: world.path('backup') });
    expect(manifest.temporal).toBe('outside');
    expect(await readdir(world.path('backup'))).not.toContain('temporal.db');
  });

  it('is refused where there is nothing to back up, by what is missing', async () => {
    await rm(join(world.dataDir, 'temporal.db'));
    await expect(backUp(world.env, { to: world.path('backup') })).rejects.toThrow(/temporal\.db.*TEMPORAL_ADDRESS/);
    const env = { FERRY_DATA_DIR: world.path('elsewhere') };
    await expect(backUp(env, { to: world.path('backup') })).rejects.toThrow(/no ferry\.db.*FERRY_DATA_DIR/);
    expect(await names()).toEqual(['data']);
  });

  it('of a damaged database is refused', async () => {
    await writeFile(join(world.dataDir, 'temporal.db'), 'this is no database, but long enough for one'.repeat(50));
    await expect(backUp(world.env, { to: world.path('backup') })).rejects.toThrow(/temporal\.db is damaged/);
    expect(await names()).toEqual(['data']);
  });

  it('that is interrupted leaves nothing', async () => {
    await world.firmware('2.0.0');
    const stop = new AbortController();
    stop.abort();
    await expect(backUp(world.env, { to: world.path('backup'), signal: stop.signal })).rejects.toThrow();
    expect(await names()).toEqual(['data']);
  });
});

describe.skipIf(!canMount())('a backup on a disk of its own', () => {
  const disk = () => world.path('disk');
  const mount = async (size: string) => {
    await mkdir(disk());
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk()]);
  };
  afterEach(() => execFileSync('umount', [disk()]));

  it('that is full leaves nothing that looks like a backup, wherever the disk was full', async () => {
    await world.firmware('2.0.0', Buffer.alloc(600_000, 7));
    await mount('1m');
    const to = join(disk(), 'backup');
    // In the middle of a firmware file; then in a database.
    for (const takenBytes of [300_000, 900_000]) {
      await writeFile(join(disk(), 'taken'), Buffer.alloc(takenBytes));
      await expect(backUp(world.env, { to })).rejects.toThrow(/There is no room for .*disk\/backup.*nothing was kept/);
      expect(await readdir(disk())).toEqual(['taken']);
    }
  });

  it('is a folder on that disk, not the disk itself', async () => {
    await mount('4m');
    await expect(backUp(world.env, { to: disk() })).rejects.toThrow(/mounted\. Name a folder on that disk/);
    await backUp(world.env, { to: join(disk(), 'ferry') });
    expect(await readdir(disk())).toEqual(['ferry']);
  });
});

/** Only root may mount, and not in every container. */
function canMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' });
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
}
