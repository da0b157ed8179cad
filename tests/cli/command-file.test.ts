import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };

const run = promisify(execFile);
const COMMAND = join(import.meta.dirname, '../../bin/ferry.mjs');

it('the command that is built tells its version', async () => {
  const { stdout } = await run(process.execPath, [COMMAND, '--version']);
  expect(stdout.trim()).toBe(packageJson.version);
});

it('its exit code is that of the command', async () => {
  await expect(run(process.execPath, [COMMAND, 'bogus'])).rejects.toMatchObject({ code: 2 });
});

it('it says so when it is not built yet', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ferry-bin-'));
  try {
    await mkdir(join(folder, 'bin'));
    await copyFile(COMMAND, join(folder, 'bin/ferry.mjs'));
    const failed = run(process.execPath, [join(folder, 'bin/ferry.mjs'), 'tasks']);
    await expect(failed).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('not built yet') as string });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
