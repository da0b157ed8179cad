import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { residentKb } from './process.js';

const LOOK_MS = 1_000;
const LOOKS_MAX = 60;
/** Looks that differ by less than this part count as the same. */
const STILL = 0.005;

export interface Held {
  /** Resident. */
  readonly processMb: number;
  /** Of it, what JavaScript objects take. */
  readonly heapMb: number;
}

/** What a process holds that was started with `nodeOptions`. */
export class MemoryMeter {
  private constructor(
    private readonly folder: string,
    private readonly stillLooks: number,
    private readonly restSeconds: number,
  ) {}

  /**
   * @param stillLooks looks in a row, a second apart, that have to be the same: Node gives pages back seconds later
   * @param restSeconds before the first look: V8 gives its young generation back only when little was allocated for a while
   */
  static async create({ stillLooks, restSeconds }: { stillLooks: number; restSeconds: number }): Promise<MemoryMeter> {
    const folder = await mkdtemp(join(tmpdir(), 'ferry-bench-memory-'));
    return new MemoryMeter(folder, stillLooks, restSeconds);
  }

  get nodeOptions(): string[] {
    const collector = pathToFileURL(join(import.meta.dirname, 'collect-garbage.mjs'));
    collector.searchParams.set('note', this.note);
    return ['--expose-gc', `--import=${collector.href}`];
  }

  /** Collects its garbage until its memory stays as it is. */
  async read(pid: number): Promise<Held> {
    await new Promise((resolve) => setTimeout(resolve, this.restSeconds * 1_000));
    let kept = residentKb(pid);
    for (let looks = 0, still = 0; looks < LOOKS_MAX && still < this.stillLooks; looks++) {
      process.kill(pid, 'SIGUSR2');
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      const now = residentKb(pid);
      const isStill = Math.abs(now - kept) < kept * STILL;
      still = isStill ? still + 1 : 0;
      if (!isStill) kept = now;
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
