import { afterEach, beforeEach, expect, it } from 'vitest';
import { localTime } from '../../cli/printable.js';
import { TOKEN, World } from '../api/world.js';
import { ferry, type Result } from './terminal.js';

let world: World;
let url: string;
const asked: number[] = [];
const run = (line: string): Promise<Result> => ferry(line, { FERRY_URL: url, FERRY_TOKEN: TOKEN });

beforeEach(async () => {
  asked.length = 0;
  world = await World.open({
    forget: async (olderThanMs) => {
      asked.push(olderThanMs);
      return { endedBefore: '2026-01-01T00:00:00.000Z', tasks: 1, deviceUpdates: 9 };
    },
  });
  ({ url } = await world.listen());
});
afterEach(() => world.close());

it('ferry records forget has the service delete what ended longer ago, and says how much that is', async () => {
  const { exitCode, out } = await run('records forget --older-than 90d');
  expect(exitCode).toBe(0);
  expect(out).toBe(
    `1 task with 9 device updates that ended before ${localTime('2026-01-01T00:00:00.000Z')} are deleted, in the background.\n`,
  );
  expect(asked).toEqual([90 * 24 * 3_600_000]);
});

it('ferry records forget wants to be told how long ago, a day at least', async () => {
  expect((await run('records forget')).exitCode).toBe(2);
  const refused = await run('records forget --older-than 1h');
  expect(refused.exitCode).not.toBe(0);
  expect(refused.err).toContain('--older-than: must be 1 day or more');
  expect(asked).toEqual([]);
});
