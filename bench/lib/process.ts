import { readFileSync } from 'node:fs';

/** Clock ticks a second, as Linux counts CPU time for programs. */
const TICKS = 100;

/** CPU time that a process has taken so far, of all its threads. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** @param field `VmRSS`: now, `VmHWM`: the highest so far */
export const residentMb = (pid: number, field: 'VmRSS' | 'VmHWM' = 'VmRSS'): number =>
  Math.round(residentKb(pid, field) / 1_024);

export function residentKb(pid: number, field: 'VmRSS' | 'VmHWM' = 'VmRSS'): number {
  const found = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(found?.[1]);
}

/** A process counts as idle when it takes less than this part of a core for this long: the service acts on news late. */
const IDLE_PART = 0.2;
const IDLE_SECONDS = 4;

/** Resolves when a process has had nothing to do for a while: what it did before is not the measured work. */
export async function untilIdle(pid: number): Promise<void> {
  for (let idleSeconds = 0, before = cpuSeconds(pid); idleSeconds < IDLE_SECONDS;) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const now = cpuSeconds(pid);
    idleSeconds = now - before < IDLE_PART ? idleSeconds + 1 : 0;
    before = now;
  }
}

/** CPU time of several processes between two looks. */
export class CpuMeter<Name extends string> {
  private readonly before: Record<Name, number>;

  constructor(private readonly pids: Readonly<Record<Name, number>>) {
    this.before = this.look();
  }

  /** Seconds since the meter was made. */
  read(): Record<Name, number> {
    const now = this.look();
    return this.each((name) => now[name] - this.before[name]);
  }

  private look(): Record<Name, number> {
    return this.each((name) => cpuSeconds(this.pids[name]));
  }

  private each(value: (name: Name) => number): Record<Name, number> {
    const names = Object.keys(this.pids) as Name[];
    return Object.fromEntries(names.map((name) => [name, value(name)])) as Record<Name, number>;
  }
}
