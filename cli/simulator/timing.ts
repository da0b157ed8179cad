/** How fast simulated devices are. */
export interface Timing {
  /** Percentages that an update reports, 0 and 100 included; 1 is only 100, 0 is none. */
  readonly progressReports: number;
  /** Between two percentages. */
  readonly stepDelayMs: number;
  /** Flashing, between the checked download and step 100. */
  readonly burnMs: number;
  /** Disconnected, between step 100 and the report of the new version. */
  readonly rebootMs: number;
  /** A slow device takes this many times as long. */
  readonly slowFactor: number;
  /** How long a dropped device is away. */
  readonly dropMs: number;
  /** How long a device is away in mid-update; longer than the stall time. */
  readonly awayMs: number;
  /** How long a device that leaves after its first version report is away; Infinity: until it is called. */
  readonly offlineMs: number;
  /** The first wait before a lost connection is tried again; doubled at each failure, with jitter. */
  readonly reconnectMs: number;
  readonly reconnectMaxMs: number;
}

export const DEFAULT_TIMING: Timing = {
  progressReports: 5,
  stepDelayMs: 1_000,
  burnMs: 2_000,
  rebootMs: 2_000,
  slowFactor: 5,
  dropMs: 3_000,
  awayMs: 35 * 60_000,
  offlineMs: 30_000,
  reconnectMs: 1_000,
  reconnectMaxMs: 30_000,
};

/** The percentages of an update, 0 to 100, evenly spread. */
export function percentages(reports: number): readonly number[] {
  if (reports <= 0) return [];
  if (reports === 1) return [100];
  return Array.from({ length: reports }, (_, i) => Math.round((100 * i) / (reports - 1)));
}
