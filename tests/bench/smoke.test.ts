import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, it, onTestFinished } from 'vitest';
import { PROJECT_FOLDER } from '../../worker/paths.js';

/* Each bench at a tiny size: that it works, and that its own counts add up, which it checks itself. Never its times. */

it.each(['1', '1b', '2', '3', '4', '5', '6', '7', '8', '9', 'soak'])(
  'bench %s runs at its small size, and leaves its figures',
  async (name) => {
    const out = await mkdtemp(join(tmpdir(), 'ferry-bench-smoke-'));
    const script = join(PROJECT_FOLDER, 'scripts', 'bench.mjs');
    const bench = spawn(process.execPath, [script, name, '--size', 'small', '--runs', '1', '--out', out], {
      env: { ...process.env, TEMPORAL_CLI: inject('temporalCli') },
      stdio: ['ignore', 'ignore', 'inherit'],
      detached: true,
    });
    onTestFinished(() => endGroup(bench.pid));
    expect(await once(bench, 'exit')).toEqual([0, null]);
    const { result } = JSON.parse(await readFile(join(out, `${name}-small.json`), 'utf8')) as {
      result: { cells: Record<string, Record<string, { median: number }>> };
    };
    const figures = Object.values(result.cells).flatMap((cells) => Object.values(cells));
    expect(figures.length).toBeGreaterThan(1);
    for (const { median } of figures) expect(Number.isFinite(median)).toBe(true);
    await rm(out, { recursive: true });
  },
  180_000,
);

/** With all that it has started: a bench that hangs must not outlive its test. */
function endGroup(leader: number | undefined): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, 'SIGTERM');
  } catch {
    // Nobody is left.
  }
}
