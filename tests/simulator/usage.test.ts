import { describe, expect, it } from 'vitest';
import { ownUsage, usageText } from '../../cli/simulator/usage.js';

/** Keeps this process busy for that much CPU time. */
function work(ms: number): void {
  const start = process.cpuUsage();
  for (;;) {
    const { user, system } = process.cpuUsage(start);
    if (user + system >= ms * 1_000) return;
  }
}

describe('the simulator’s own usage', () => {
  it('counts the CPU time that this process takes, in seconds, and its memory', () => {
    const before = ownUsage();
    work(50);
    const after = ownUsage();
    expect(after.cpuSeconds - before.cpuSeconds).toBeGreaterThanOrEqual(0.05);
    expect(after.cpuSeconds - before.cpuSeconds).toBeLessThan(5);
    expect(after.residentMb * 2 ** 20).toBeGreaterThan(process.memoryUsage().heapUsed);
  });

  it('is one short phrase', () => {
    expect(usageText({ cpuSeconds: 3.24, residentMb: 94.6 })).toBe('simulator 3.2 s CPU, 95 MB');
  });
});
