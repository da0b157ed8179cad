import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { abuse } from './abuse.js';

/* A third of a minute in `npm test`; `npm run abuse` makes it ten minutes. */

const MINUTES = Number(process.env.FERRY_ABUSE_MINUTES ?? 1 / 3);

it(
  `serves on under ${MINUTES.toFixed(1)} minutes of abuse, and does not grow`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ferry-abuse-'));
    const say = (line: string) => process.stdout.write(`abuse: ${line}\n`);
    const { broken, ...figures } = await abuse(MINUTES, { folder, say });
    say(JSON.stringify(figures));
    expect(broken).toEqual([]);
    // Kept when it fails: the service's output tells what happened.
    await rm(folder, { recursive: true, force: true });
  },
  120_000 + MINUTES * 90_000,
);
