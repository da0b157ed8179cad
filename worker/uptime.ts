export interface Uptime {
  /** Epoch milliseconds: since when this process has listened to devices without a break. */
  sinceMs(): number;
}

/** The clock was set, or the machine slept: either way nobody knows what devices could have reported meanwhile. */
const JUMP_MS = 10_000;

/**
 * Since the start, or since the wall clock last parted from the steady one.
 *
 * @param clocks the wall clock in epoch milliseconds, and one that only the passing of time moves
 */
export function createUptime(clocks = { wallMs: Date.now, steadyMs: () => performance.now() }): Uptime {
  let sinceMs = clocks.wallMs();
  let apart = sinceMs - clocks.steadyMs();
  return {
    sinceMs() {
      const nowMs = clocks.wallMs();
      const apartNow = nowMs - clocks.steadyMs();
      if (Math.abs(apartNow - apart) > JUMP_MS) sinceMs = nowMs;
      apart = apartNow;
      return sinceMs;
    },
  };
}
