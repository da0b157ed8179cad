import { describe, expect, it } from 'vitest';
import { paceOf } from '../../console/pages/task-details/pace.js';

/* The pace of a task, and the time that is left: of running time only, and nothing that is not sure. */

const BEGIN_MS = Date.parse('2030-01-31T12:00:00Z');
const SPAN_MS = 10_000;
const iso = (ms: number) => new Date(ms).toISOString();
const running = {
  status: 'running',
  startedAt: iso(BEGIN_MS),
  approval: null,
} as const;

/** Devices that ended in each span of ten seconds; the last span is the one that is not over. */
const timeline = (ended: readonly number[], online: number) => ({
  ...{ from: iso(BEGIN_MS), spanMs: SPAN_MS, online },
  points: [...ended, 0].map((succeeded, i) => ({
    ...{ at: iso(BEGIN_MS + i * SPAN_MS), succeeded, failed: 0, cancelled: 0 },
  })),
});
const minutes = (ms: number) => ms / 60_000;

describe('The time that is left', () => {
  it('is that of all devices that are online, those that still wait for their turn included', () => {
    const { perMinute, leftMs } = paceOf({ task: running, timeline: timeline(Array<number>(12).fill(96), 9_315) });
    expect(perMinute).toBeCloseTo(576);
    expect(minutes(leftMs?.from ?? 0)).toBeGreaterThan(14);
    expect(minutes(leftMs?.from ?? 0)).toBeLessThan(16.2);
    expect(minutes(leftMs?.to ?? 0)).toBeGreaterThan(16.2);
    expect(minutes(leftMs?.to ?? 0)).toBeLessThan(19);
  });

  it('does not count the time that a batch has waited for its approval', () => {
    const waited = Array<number>(54).fill(0);
    const approval = { decision: 'approved', by: 'Bob', remark: '', at: iso(BEGIN_MS + 54 * SPAN_MS) } as const;
    const { perMinute, leftMs } = paceOf({
      task: { ...running, approval },
      timeline: timeline([...waited, ...Array<number>(6).fill(10)], 180),
    });
    expect(perMinute).toBeCloseTo(60);
    expect(minutes(leftMs?.from ?? 0)).toBeGreaterThan(2);
    expect(minutes(leftMs?.to ?? 0)).toBeLessThan(5);
  });

  it('widens to a band when the pace changes, and is left out when it changes too much', () => {
    const slower = paceOf({ task: running, timeline: timeline([40, 40, 40, 20, 20, 20], 600) }).leftMs;
    expect(minutes(slower?.from ?? 0)).toBeCloseTo(2.5);
    expect(minutes(slower?.to ?? 0)).toBeCloseTo(5);
    expect(paceOf({ task: running, timeline: timeline([90, 90, 90, 1, 0, 1], 600) }).leftMs).toBeNull();
    expect(paceOf({ task: running, timeline: timeline([90, 90, 90, 0, 0, 0], 600) }).leftMs).toBeNull();
  });

  it.each([
    ['of one silent device, which has minutes', timeline(Array<number>(12).fill(96), 1)],
    ['of less than a minute, in which single devices decide', timeline(Array<number>(12).fill(96), 40)],
    ['by a handful of devices', timeline([0, 2, 0, 3, 1, 1], 600)],
    ['within the first seconds', timeline([50, 50], 600)],
    ['before a span is over', timeline([], 600)],
  ])('is not guessed %s', (_, given) => {
    expect(paceOf({ task: running, timeline: given }).leftMs).toBeNull();
  });

  it.each(['awaiting-approval', 'paused', 'completed'] as const)('is nothing of a task that is %s', (status) => {
    const given = timeline(Array<number>(12).fill(96), 9_315);
    expect(paceOf({ task: { ...running, status }, timeline: given })).toEqual({ perMinute: null, leftMs: null });
  });
});
