import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { chaos } from './chaos.js';
import { figures } from './figures.js';

/*
 * Short in `npm test`; `npm run chaos` makes it long. The seed decides who is what and when which process is killed, up
 * to what the machine makes of it.
 */

const number = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise);
const SEED = number('FERRY_CHAOS_SEED', Math.floor(Math.random() * 1_000_000));
const KILLS = number('FERRY_CHAOS_KILLS', 6);
const DEVICES = number('FERRY_CHAOS_DEVICES', 60);
const FIGURES = process.env.FERRY_CHAOS_FIGURES;

it(
  `keeps every promise over ${KILLS} kills of its processes`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ferry-chaos-'));
    const say = (line: string) => process.stdout.write(`chaos ${SEED}: ${line}\n`);
    say(`${DEVICES} devices, ${KILLS} kills; the same again: npm run chaos -- --seed ${SEED}`);
    const result = await chaos({ seed: SEED, kills: KILLS, devices: DEVICES, folder, say });
    process.stdout.write(`\n${figures(result)}\n\n`);
    if (FIGURES !== undefined) await appendFile(FIGURES, `${figures(result)}\n`);
    expect(result.broken).toEqual([]);
    expect(result.recoveries).toHaveLength(KILLS);
    // Kept when it fails: the service's output and databases tell what happened.
    await rm(folder, { recursive: true, force: true });
  },
  60_000 + KILLS * 45_000,
);
