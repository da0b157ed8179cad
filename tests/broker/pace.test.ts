import { describe, expect, it } from 'vitest';
import { Pace, Paces } from '../../broker/pace.js';

const PER_SECOND = 10;
const BURST = 20;

/** Takes `count` messages of a device at a time; answers how long the last of them is to wait, in ms. */
function took(paces: Paces, device: string, count: number, nowMs: number): number {
  let waitMs = 0;
  for (let i = 0; i < count; i++) waitMs = paces.of(device, nowMs).waitMs(nowMs);
  return waitMs;
}

describe('a pace', () => {
  it('lets two seconds’ worth through at once, then one by one', () => {
    const pace = new Pace(PER_SECOND);
    const waits = Array.from({ length: BURST + 2 }, () => pace.waitMs(1_000));
    expect(waits.slice(0, BURST)).toEqual(Array(BURST).fill(0));
    expect(waits.slice(BURST)).toEqual([100, 200]);
    expect(pace.waitMs(1_300)).toBe(0);
    expect(pace.isRested(1_300)).toBe(false);
    expect(pace.isRested(10_000)).toBe(true);
  });
});

describe('a device that sends faster than it may', () => {
  it('waits, and waits no more once it has rested', () => {
    const paces = new Paces(PER_SECOND);
    expect(took(paces, 'hasty', BURST, 0)).toBe(0);
    expect(took(paces, 'hasty', 1, 0)).toBe(100);
    expect(took(paces, 'hasty', 1, 3_000)).toBe(0);
  });

  it('waits however many others come meanwhile, which are forgotten once they have rested', () => {
    const paces = new Paces(PER_SECOND);
    took(paces, 'hasty', BURST + 1, 0);
    for (let i = 0; i < 1_000; i++) took(paces, `other-${i}`, 1, i / 2);
    // Half a second is worth five messages; it owed one.
    expect(took(paces, 'hasty', 5, 500)).toBe(100);
  });

  it('is as hasty after a new connection', () => {
    const paces = new Paces(PER_SECOND);
    took(paces, 'hasty', BURST, 0);
    paces.left('hasty', 0);
    expect(took(paces, 'hasty', 1, 0)).toBe(100);
  });
});
