import { describe, expect, it } from 'vitest';
import { createUptime } from '../../worker/uptime.js';

const clocks = () => {
  const at = { wall: 1_000_000, steady: 500 };
  return { at, wallMs: () => at.wall, steadyMs: () => at.steady };
};
const pass = (at: { wall: number; steady: number }, ms: number) => {
  at.wall += ms;
  at.steady += ms;
};

describe('the time since when devices could be heard', () => {
  it('is the start, however long ago', () => {
    const { at, ...both } = clocks();
    const uptime = createUptime(both);
    pass(at, 86_400_000);
    expect(uptime.sinceMs()).toBe(1_000_000);
  });

  it.each([
    ['forwards, or the machine slept', 3_600_000],
    ['backwards', -3_600_000],
  ])('begins anew when the clock jumps %s', (_, jumpMs) => {
    const { at, ...both } = clocks();
    const uptime = createUptime(both);
    pass(at, 60_000);
    at.wall += jumpMs;
    expect(uptime.sinceMs()).toBe(1_060_000 + jumpMs);
    pass(at, 60_000);
    expect(uptime.sinceMs()).toBe(1_060_000 + jumpMs);
  });

  it('does not mind a clock that is corrected by little', () => {
    const { at, ...both } = clocks();
    const uptime = createUptime(both);
    for (let i = 0; i < 100; i++) {
      pass(at, 60_000);
      at.wall += 900;
      expect(uptime.sinceMs()).toBe(1_000_000);
    }
  });
});
