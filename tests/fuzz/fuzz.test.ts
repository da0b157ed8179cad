import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { fuzz } from './fuzz.js';

/* Short in `npm test`; `npm run fuzz` makes it long. */

const number = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise);
const SEED = number('FERRY_FUZZ_SEED', Math.floor(Math.random() * 1_000_000));
const CASES = number('FERRY_FUZZ_CASES', 21_000);
const ONLY = process.env.FERRY_FUZZ_ONLY;

it(
  `stands ${CASES} cases of rubbish, and serves meanwhile`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ferry-fuzz-'));
    const say = (line: string) => process.stdout.write(`fuzz ${SEED}: ${line}\n`);
    say(`${CASES} cases; the same again: npm run fuzz -- --seed ${SEED} --cases ${CASES}`);
    const only = ONLY === undefined ? undefined : Number(ONLY);
    const { broken, ...figures } = await fuzz({ seed: SEED, cases: CASES, only, folder, say });
    say(JSON.stringify(figures));
    expect(broken).toEqual([]);
    // Kept when it fails: the service's output tells what happened.
    await rm(folder, { recursive: true, force: true });
  },
  120_000 + CASES * 20,
);
