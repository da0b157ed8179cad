import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { World } from '../worker/backup/world.js';
import { ferry } from './terminal.js';

let world: World;
beforeEach(async () => {
  world = await World.create();
});
afterEach(() => world.remove());

describe('ferry backup and ferry restore', () => {
  it('say what was backed up, and what will go on', async () => {
    await world.firmware('2.0.0');
    const backup = world.path('backup');
    expect(await ferry(`backup ${backup}`, world.env)).toMatchObject({
      exitCode: 0,
      out: expect.stringMatching(
        /^Backed up to .*backup: 4 files, .*\n {2}1 product, 0 devices, firmware 1, 0 update tasks \(0 open, .*\)\n$/,
      ) as unknown,
    });
    const env = { FERRY_DATA_DIR: world.path('fresh') };
    expect(await ferry(`restore ${backup}`, env)).toMatchObject({
      exitCode: 0,
      out: expect.stringMatching(
        /^Restored the backup of \d{4}-.* into .*fresh\. Start it with "ferry up"\.\n/,
      ) as unknown,
    });
    const { exitCode, err } = await ferry(`restore ${backup}`, env);
    expect(exitCode).toBe(1);
    expect(err).toMatch(/^error: The data folder .* holds data already.*--replace\.\n$/);
    const replaced = await ferry(`restore ${backup} --replace`, env);
    expect(replaced.out).toMatch(/What was there before is in .*fresh\.before-restore-/);
  });

  it('say what was left out, in the backup and after the restore', async () => {
    await rm(join(world.dataDir, await world.firmware('2.0.0')));
    const backup = world.path('backup');
    expect(await ferry(`backup ${backup}`, world.env)).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining('--skip-damaged') as unknown,
    });
    const { out } = await ferry(`backup ${backup} --skip-damaged`, world.env);
    expect(out).toContain('Left out: firmware lamp main@2.0.0: its file is missing.');
    const restored = await ferry(`restore ${backup}`, { FERRY_DATA_DIR: world.path('fresh') });
    expect(restored.out).toContain('Not in the backup: the file of firmware lamp main@2.0.0');
  });

  it('say what an outside Temporal means for them', async () => {
    const env = { ...world.env, TEMPORAL_ADDRESS: 'temporal.example:7233' };
    const backup = world.path('backup');
    expect((await ferry(`backup ${backup}`, env)).out).toContain('The runs are not in it');
    const fresh = { ...env, FERRY_DATA_DIR: world.path('fresh') };
    expect((await ferry(`restore ${backup}`, fresh)).out).toContain('was not restored');
    expect(await readdir(world.path('fresh'))).not.toContain('temporal.db');
  });

  it('are used wrongly without a folder', async () => {
    for (const command of ['backup', 'restore']) {
      expect(await ferry(command, world.env)).toMatchObject({ exitCode: 2 });
    }
  });
});
