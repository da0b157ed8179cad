import type { Logger } from 'pino';

/** A part that hangs must not keep the others from ending: all of it fits into the half minute that supervisors give. */
const LIMIT_MS = 10_000;

/** What is to be undone, in the reverse order of how it was done; each step has its name in the log. */
export class Shutdown {
  private readonly steps: { readonly name: string; readonly undo: () => unknown; readonly limitMs: number }[] = [];
  private ended: Promise<void> | undefined;

  constructor(private readonly log: Pick<Logger, 'debug' | 'warn'>) {}

  /** @param limitMs after which the next step begins all the same */
  add(name: string, undo: () => unknown, limitMs = LIMIT_MS): void {
    this.steps.push({ name, undo, limitMs });
  }

  /** Undoes everything, once, also when a step fails. */
  run(): Promise<void> {
    this.ended ??= this.undoAll();
    return this.ended;
  }

  private async undoAll(): Promise<void> {
    for (const { name, undo, limitMs } of this.steps.reverse()) {
      try {
        await within(limitMs, Promise.resolve(undo()));
        this.log.debug({ part: name }, 'stopped');
      } catch (error) {
        this.log.warn({ part: name, error: String(error) }, 'did not stop cleanly');
      }
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
