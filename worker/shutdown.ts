import type { Logger } from 'pino';

/** What is to be undone, in the reverse order of how it was done; each step has its name in the log. */
export class Shutdown {
  private readonly steps: { readonly name: string; readonly undo: () => unknown }[] = [];
  private ended: Promise<void> | undefined;

  constructor(private readonly log: Pick<Logger, 'debug' | 'warn'>) {}

  add(name: string, undo: () => unknown): void {
    this.steps.push({ name, undo });
  }

  /** Undoes everything, once, also when a step fails. */
  run(): Promise<void> {
    this.ended ??= this.undoAll();
    return this.ended;
  }

  private async undoAll(): Promise<void> {
    for (const { name, undo } of this.steps.reverse()) {
      try {
        await undo();
        this.log.debug({ part: name }, 'stopped');
      } catch (error) {
        this.log.warn({ part: name, error: String(error) }, 'did not stop cleanly');
      }
    }
  }
}
