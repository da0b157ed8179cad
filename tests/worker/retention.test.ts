import { describe, expect, it, vi } from 'vitest';
import type { Forgotten } from '../../records/records.js';
import { createRetention, PAUSE_TIMES, type RetentionDeps } from '../../worker/retention.js';

const DAY_MS = 24 * 3_600_000;
const DONE: Forgotten = { tasks: 0, deviceUpdates: 0, more: false };

/** What outlives a restart: when the last run began that has finished. */
interface Kept {
  atMs: number | undefined;
}
const THAT_NIGHT = new Date(2026, 5, 10, 3).getTime();

/** Retention at 03:00 of tasks older than 90 days, over records that answer these pieces and then no more. */
function night(
  pieces: readonly (Forgotten | Error)[] = [],
  given: Partial<RetentionDeps> = {},
  finished: Kept = { atMs: THAT_NIGHT },
) {
  const clock = { at: new Date(2026, 5, 10, 12).getTime(), steady: 0 };
  const asked: number[] = [];
  const left = [...pieces];
  const pauses: number[] = [];
  const log = { info: vi.fn(), warn: vi.fn() };
  const counts = { tasks: 0, deviceUpdates: 0, runs: 0 };
  const retention = createRetention({
    records: {
      forgetTasks: ({ endedBeforeMs }) => {
        asked.push(endedBeforeMs);
        clock.steady += 10;
        const piece = left.shift() ?? DONE;
        return piece instanceof Error ? Promise.reject(piece) : Promise.resolve(piece);
      },
      countForgettable: () => Promise.resolve({ tasks: 4, deviceUpdates: 40 }),
      lastRetention: () => Promise.resolve(finished.atMs),
      retentionFinished: async (atMs) => void (finished.atMs = atMs),
    },
    recordsDays: 90,
    at: { hour: 3, minute: 0 },
    metrics: {
      tasks: { inc: (count) => (counts.tasks += count) },
      deviceUpdates: { inc: (count) => (counts.deviceUpdates += count) },
      lastRun: { setToCurrentTime: () => counts.runs++ },
    },
    log,
    now: () => clock.at,
    steadyMs: () => clock.steady,
    pause: async (ms) => void pauses.push(ms),
    ...given,
  });
  const lookAt = async (...local: [month: number, day: number, hour: number, minute: number]) => {
    clock.at = new Date(2026, ...local).getTime();
    await retention.tick();
    await new Promise(setImmediate);
  };
  return { retention, asked, pauses, log, counts, clock, lookAt };
}

describe('retention', () => {
  it('begins when its time of day has come, once a day, with what ended that many days before', async () => {
    const { asked, lookAt, clock } = night();
    await lookAt(5, 10, 12, 0);
    asked.length = 0; // what an earlier stop may have left
    await lookAt(5, 11, 2, 59);
    expect(asked).toEqual([]);
    await lookAt(5, 11, 3, 0);
    expect(asked).toEqual([clock.at - 90 * DAY_MS]);
    await lookAt(5, 11, 3, 1);
    expect(asked).toHaveLength(1);
    await lookAt(5, 12, 3, 0);
    expect(asked).toHaveLength(2);
  });

  it('begins late when the machine slept over its time', async () => {
    const slept = night();
    await slept.lookAt(5, 10, 23, 0);
    await slept.lookAt(5, 11, 9, 0);
    expect(slept.asked).toHaveLength(2);
  });

  it('makes up for a night in which the service was down, and for one in which it has never run', async () => {
    for (const kept of [{ atMs: THAT_NIGHT }, { atMs: undefined }]) {
      const { asked, clock, lookAt } = night([], {}, kept);
      await lookAt(5, 11, 9, 0);
      expect(asked).toEqual([clock.at - 90 * DAY_MS]);
      expect(kept.atMs).toBe(clock.at);
      await lookAt(5, 11, 9, 1);
      expect(asked).toHaveLength(1);
    }
  });

  it('runs every day of a month in which the service is restarted over its hour each night', async () => {
    const kept: Kept = { atMs: THAT_NIGHT };
    const runs = new Set<number | undefined>();
    for (let day = 11; day <= 30; day++) {
      await night([], {}, kept).lookAt(5, day, 2, 58);
      await night([], {}, kept).lookAt(5, day, 3, 1);
      runs.add(kept.atMs);
    }
    expect(runs.size).toBe(20);
  });

  it('that was stopped before it had finished is made up for by the next start', async () => {
    const kept: Kept = { atMs: THAT_NIGHT };
    const more = { tasks: 0, deviceUpdates: 200, more: true };
    const first = night(
      [more, more],
      { pause: (_, stopping) => new Promise((resolve) => stopping.addEventListener('abort', () => resolve())) },
      kept,
    );
    await first.lookAt(5, 11, 3, 0);
    await first.retention.stop();
    expect(kept.atMs).toBe(THAT_NIGHT);
    const { asked, clock, lookAt } = night([], {}, kept);
    await lookAt(5, 11, 3, 5);
    expect(asked).toEqual([clock.at - 90 * DAY_MS]);
  });

  it('goes on in the nights after a clock was put back', async () => {
    const { asked, lookAt } = night([], {}, { atMs: new Date(2030, 0, 1).getTime() });
    await lookAt(5, 11, 9, 0);
    expect(asked).toEqual([0]);
    await lookAt(5, 12, 3, 0);
    expect(asked).toHaveLength(2);
  });

  it('goes on at the start with what a stop has left half gone, also when records are kept for ever', async () => {
    const half = { tasks: 1, deviceUpdates: 7, more: true };
    const { asked, lookAt, counts } = night([half], { recordsDays: null });
    await lookAt(5, 10, 12, 0);
    await lookAt(5, 12, 12, 0);
    expect(asked).toEqual([0, 0]);
    expect(counts).toMatchObject({ tasks: 1, deviceUpdates: 7 });
  });

  it('pauses after each piece for a multiple of what it took, and longer while the database can’t keep up', async () => {
    const held = { tasks: 0, deviceUpdates: 0, more: true };
    const { pauses, lookAt } = night([DONE, { tasks: 0, deviceUpdates: 200, more: true }, held]);
    await lookAt(5, 10, 12, 0);
    await lookAt(5, 11, 3, 0);
    expect(pauses).toEqual([PAUSE_TIMES * 10, 1_000]);
  });

  it('counts what is gone, and logs one line', async () => {
    const piece = { tasks: 2, deviceUpdates: 100, more: true };
    const { counts, log, lookAt } = night([DONE, piece, { ...piece, more: false }]);
    await lookAt(5, 10, 12, 0);
    await lookAt(5, 11, 3, 0);
    expect(counts).toEqual({ tasks: 4, deviceUpdates: 200, runs: 2 });
    expect(log.info).toHaveBeenCalledOnce();
    expect(log.info.mock.calls[0]?.[0]).toMatchObject({ tasks: 4, deviceUpdates: 200, finished: true });
  });

  it('that fails leaves the rest to the next night', async () => {
    const { asked, log, lookAt } = night([DONE, new Error('the disk is full')]);
    await lookAt(5, 10, 12, 0);
    await lookAt(5, 11, 3, 0);
    expect(log.warn).toHaveBeenCalledOnce();
    await lookAt(5, 12, 3, 0);
    expect(asked).toHaveLength(3);
  });

  it('begins at once when an operator asks, and does what is asked meanwhile afterwards', async () => {
    const { retention, asked, clock } = night([{ tasks: 1, deviceUpdates: 1, more: true }]);
    const answer = await retention.forget(30 * DAY_MS);
    expect(answer).toEqual({
      endedBefore: new Date(clock.at - 30 * DAY_MS).toISOString(),
      tasks: 4,
      deviceUpdates: 40,
    });
    await retention.forget(10 * DAY_MS);
    await new Promise(setImmediate);
    expect(asked).toEqual([30, 30, 10].map((days) => clock.at - days * DAY_MS));
  });

  it('ends its pause and begins no further piece when it is stopped', async () => {
    const { retention, asked } = night(
      Array.from({ length: 5 }, () => ({ tasks: 0, deviceUpdates: 200, more: true })),
      { pause: (_, stopping) => new Promise((resolve) => stopping.addEventListener('abort', () => resolve())) },
    );
    await retention.forget(30 * DAY_MS);
    await retention.stop();
    expect(asked).toHaveLength(1);
  });
});
