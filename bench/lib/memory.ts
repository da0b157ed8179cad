import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { residentKb } from './process.js';

/** Options of a node process whose memory is to be measured. */
export const COLLECTING = [
  '--expose-gc',
  `--import=${pathToFileURL(join(import.meta.dirname, 'collect-garbage.mjs')).href}`,
];

const LOOK_MS = 1_000;
const LOOKS_MAX = 15;
/** Two looks that differ by less than this part count as the same. */
const STILL = 0.005;

/** Resident memory of a process that was started with `COLLECTING`, in MB: its garbage collected until it stays. */
export async function heldMb(pid: number): Promise<number> {
  let last = residentKb(pid);
  for (let looks = 0; looks < LOOKS_MAX; looks++) {
    process.kill(pid, 'SIGUSR2');
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const now = residentKb(pid);
    if (Math.abs(now - last) < last * STILL && looks > 0) return now / 1_024;
    last = now;
  }
  return last / 1_024;
}
