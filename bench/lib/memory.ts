import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { residentKb } from './process.js';

const LOOK_MS = 1_000;
const LOOKS_MAX = 15;
/** Two looks that differ by less than this part count as the same. */
const STILL = 0.005;

export interface Held {
  /** Resident. */
  readonly processMb: number;
  /** Of it, what JavaScript objects take. */
  readonly heapMb: number;
}

/** What a process holds that was started with `nodeOptions`. */
export class MemoryMeter {
  private constructor(private readonly folder: string) {}

  static async create(): Promise<MemoryMeter> {
    return new MemoryMeter(await mkdtemp(join(tmpdir(), 'ferry-bench-memory-')));
  }

  get nodeOptions(): string[] {
    const collector = pathToFileURL(join(import.meta.dirname, 'collect-garbage.mjs'));
    collector.searchParams.set('note', this.note);
    return ['--expose-gc', `--import=${collector.href}`];
  }

  /** Collects its garbage until its memory stays as it is. */
  async read(pid: number): Promise<Held> {
    let last = residentKb(pid);
    for (let looks = 0; looks < LOOKS_MAX; looks++) {
      process.kill(pid, 'SIGUSR2');
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      const now = residentKb(pid);
      if (looks > 0 && Math.abs(now - last) < last * STILL) break;
      last = now;
    }
    return { processMb: residentKb(pid) / 1_024, heapMb: Number(readFileSync(this.note, 'utf8')) / 2 ** 20 };
  }

  async dispose(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  private get note(): string {
    return join(this.folder, 'heap');
  }
}
