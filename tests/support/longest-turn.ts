import { readFileSync } from 'node:fs';

/** Milliseconds of CPU that this thread has had; where there is no such figure, that the process has had. */
function cpuMs(): number {
  if (process.platform === 'linux')
    return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0]) / 1e6;
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/**
 * How long the event loop was held at once while something ran, in milliseconds of CPU time: other processes may take the
 * machine away meanwhile.
 */
export async function longestTurnMs(work: () => Promise<unknown>): Promise<number> {
  let [longest, isOver, last] = [0, false, cpuMs()];
  const turn = () => {
    const now = cpuMs();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  try {
    await work();
  } finally {
    await new Promise((resolve) => setImmediate(resolve));
    isOver = true;
  }
  return longest;
}
