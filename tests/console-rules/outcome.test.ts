import { describe, expect, it } from 'vitest';
import { noticeableFailures, outcomeOf } from '../../console/components/outcome.js';

const counts = (succeeded: number, failed: number, cancelled: number) => ({
  ...{ pending: 0, notified: 0, upgrading: 0, succeeded, failed, cancelled },
  total: succeeded + failed + cancelled,
});

describe('The outcome of a task', () => {
  it.each([
    ['completed', counts(50, 0, 0), 'succeeded', null],
    ['completed', counts(45, 5, 0), 'waiting', { what: 'succeeded', count: 45, total: 50 }],
    ['completed', counts(1, 0, 1), 'waiting', { what: 'succeeded', count: 1, total: 2 }],
    ['completed', counts(0, 8, 0), 'failed', { what: 'failed', count: 8, total: 8 }],
    ['completed', counts(0, 1, 7), 'failed', { what: 'failed', count: 1, total: 8 }],
    ['completed', counts(0, 0, 2), 'quiet', { what: 'cancelled', count: 2, total: 2 }],
    ['cancelled', counts(0, 0, 9), 'quiet', null],
    ['cancelled', counts(4, 0, 5), 'quiet', { what: 'succeeded', count: 4, total: 9 }],
    ['cancelled', counts(4, 3, 2), 'quiet', { what: 'failed', count: 3, total: 9 }],
    ['rejected', counts(0, 0, 9), 'quiet', null],
  ] as const)('that is %s with %j looks %s', (status, given, look, remark) => {
    expect(outcomeOf({ status, counts: given })).toEqual({ look, remark });
  });
});

describe('Failures of a running task', () => {
  it('are noticeable from three on, when they are a tenth of what has ended', () => {
    expect(noticeableFailures({ succeeded: 0, failed: 2 })).toBeNull();
    expect(noticeableFailures({ succeeded: 0, failed: 3 })).toBe(1);
    expect(noticeableFailures({ succeeded: 87, failed: 13 })).toBeCloseTo(0.13);
    expect(noticeableFailures({ succeeded: 95, failed: 5 })).toBeNull();
    expect(noticeableFailures({ succeeded: 0, failed: 0 })).toBeNull();
  });
});
