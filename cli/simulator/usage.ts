/** What a process takes of its machine. */
export interface Usage {
  /** Since its start. */
  readonly cpuSeconds: number;
  readonly residentMb: number;
}

/** Of this process: shown beside what the fleet does, so that the simulator is not mistaken for the service. */
export function ownUsage(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6, residentMb: process.memoryUsage.rss() / 2 ** 20 };
}

/** `simulator 3.2 s CPU, 95 MB`. */
export const usageText = ({ cpuSeconds, residentMb }: Usage): string =>
  `simulator ${cpuSeconds.toFixed(1)} s CPU, ${residentMb.toFixed(0)} MB`;
