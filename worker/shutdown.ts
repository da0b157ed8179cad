import type { Logger } from 'pino';

/** A part that hangs must not keep the others from ending. */
const LIMIT_MS = 10_000;
/** All steps together: supervisors kill what has not ended after half a minute. */
const TOTAL_MS = 22_000;
/** Each step has this at least: the last ones, which close the records and end Temporal, must not be left out. */
const LEAST_MS = 500;

interface Step {
  readonly name: string;
  readonly undo: () => unknown;
  readonly limitMs: number;
}

/** What is to be undone, in the reverse order of how it was done; each step has its name in the log. */
export class Shutdown {
  private readonly steps: Step[] = [];
  private ended: Promise<void> | undefined;
  private deadlineMs = Infinity;

  constructor(private readonly log: Pick<Logger, 'debug' | 'warn'>) {}

  /** @param limitMs after which the next step begins all the same */
  add(name: string, undo: () => unknown, limitMs = LIMIT_MS): void {
    const step = { name, undo, limitMs };
    // What a start brings up after its abort goes down at once.
    if (this.ended) this.ended = this.ended.then(() => this.undo(step));
    else this.steps.push(step);
  }

  /** Undoes everything, once, also when a step fails. */
  run(): Promise<void> {
    if (this.ended === undefined) {
      this.deadlineMs = performance.now() + TOTAL_MS;
      this.ended = this.undoAll();
    }
    return this.ended;
  }

  private async undoAll(): Promise<void> {
    for (const step of this.steps.reverse()) await this.undo(step);
  }

  private async undo({ name, undo, limitMs }: Step): Promise<void> {
    try {
      const leftMs = Math.max(this.deadlineMs - performance.now(), LEAST_MS);
      await within(Math.min(limitMs, leftMs), Promise.resolve(undo()));
      this.log.debug({ part: name }, 'stopped');
    } catch (error) {
      this.log.warn({ part: name, error: String(error) }, 'did not stop cleanly');
    }
  }
}

async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not ended after ${Math.round(limitMs) / 1_000} s`)), limitMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
