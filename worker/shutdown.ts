import type { Logger } from 'pino';

/** A part that hangs must not keep the others from ending: all of it fits into the half minute that supervisors give. */
const LIMIT_MS = 10_000;

interface Step {
  readonly name: string;
  readonly undo: () => unknown;
  readonly limitMs: number;
}

/** What is to be undone, in the reverse order of how it was done; each step has its name in the log. */
export class Shutdown {
  private readonly steps: Step[] = [];
  private ended: Promise<void> | undefined;

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
    this.ended ??= this.undoAll();
    return this.ended;
  }

  private async undoAll(): Promise<void> {
    for (const step of this.steps.reverse()) await this.undo(step);
  }

  private async undo({ name, undo, limitMs }: Step): Promise<void> {
    try {
      await within(limitMs, Promise.resolve(undo()));
      this.log.debug({ part: name }, 'stopped');
    } catch (error) {
      this.log.warn({ part: name, error: String(error) }, 'did not stop cleanly');
    }
  }
}

async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not ended after ${limitMs / 1_000} s`)), limitMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
