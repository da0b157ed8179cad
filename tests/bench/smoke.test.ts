import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, inject, it } from 'vitest';
import { PROJECT_FOLDER } from '../../worker/paths.js';

const run = promisify(execFile);

/* Each bench at a tiny size: that it works, and that its own counts add up, which it checks itself. Never its times. */

it.each(['1', '1b', '2', '3', '4', '5', '6', '7', '8'])(
  'bench %s runs at its small size, and leaves its figures',
  async (name) => {
    const out = await mkdtemp(join(tmpdir(), 'ferry-bench-smoke-'));
    const script = join(PROJECT_FOLDER, 'scripts', 'bench.mjs');
    await run(process.execPath, [script, name, '--size', 'small', '--runs', '1', '--out', out], {
      env: { ...process.env, TEMPORAL_CLI: inject('temporalCli') },
    });
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
