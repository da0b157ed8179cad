import type { Logger } from 'pino';

export interface Reconciler {
  /** Ends the rounds; resolves when the one under way is done. */
  stop(): Promise<void>;
}

/**
 * Repeats what a crash or an absent engine left undone: every job is idempotent, none depends on an earlier round.
 *
 * @param jobs by name; one that fails is logged and tried again in the next round
 */
export function startReconciler(
  jobs: Readonly<Record<string, () => Promise<void>>>,
  { intervalMs, log }: { readonly intervalMs: number; readonly log: Pick<Logger, 'warn'> },
): Reconciler {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<void> = Promise.resolve();

  const next = () => {
    if (stopped) return;
    round = runAll().then(() => {
      if (!stopped) timer = setTimeout(next, intervalMs);
    });
  };
  const runAll = async () => {
    for (const [name, job] of Object.entries(jobs)) {
      if (stopped) return;
      await job().catch((error: unknown) => log.warn({ job: name, error: String(error) }, 'reconciling failed'));
    }
  };
  next();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await round;
    },
  };
}
