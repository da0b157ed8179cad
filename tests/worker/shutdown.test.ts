import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Shutdown } from '../../worker/shutdown.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('ends within half a minute though every part hangs, and comes to each of them', async () => {
  const shutdown = new Shutdown(pino({ level: 'silent' }));
  const begun: string[] = [];
  for (let part = 1; part <= 12; part++) {
    shutdown.add(`part ${part}`, () => {
      begun.push(`part ${part}`);
      return new Promise(() => undefined);
    });
  }
  let hasEnded = false;
  void shutdown.run().then(() => (hasEnded = true));
  await vi.advanceTimersByTimeAsync(30_000);
  expect(hasEnded).toBe(true);
  expect(begun).toHaveLength(12);
  expect(begun.at(-1)).toBe('part 1');
});
