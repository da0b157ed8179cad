import type { EventEmitter } from 'node:events';

/** Where a command writes. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** Everything that a command has of the outside: the process's own, or a test's. */
export interface Io {
  readonly out: Output;
  readonly err: Output;
  /** Where a person types; absent where none does. */
  readonly input?: NodeJS.ReadableStream & { readonly isTTY?: boolean | undefined };
  readonly env: NodeJS.ProcessEnv;
  /** Emits `SIGINT` and `SIGTERM`. */
  readonly signals: Pick<EventEmitter, 'on' | 'off'>;
  /** Ends the process at once; a second signal does. */
  readonly exitNow: (code: number) => void;
}

export const processIo = (): Io => ({
  out: process.stdout,
  err: process.stderr,
  input: process.stdin,
  env: process.env,
  signals: process,
  exitNow: (code) => process.exit(code),
});

/** The exit code of a command that a signal ended. */
export const INTERRUPTED = 130 as const;

/**
 * Aborted at the first SIGINT or SIGTERM; a second one ends the process at once.
 *
 * @returns the signal, and how to stop listening
 */
export function interruption(io: Pick<Io, 'signals' | 'exitNow'>): {
  readonly signal: AbortSignal;
  readonly dispose: () => void;
} {
  const abort = new AbortController();
  const onSignal = () => {
    if (abort.signal.aborted) io.exitNow(INTERRUPTED);
    abort.abort();
  };
  io.signals.on('SIGINT', onSignal);
  io.signals.on('SIGTERM', onSignal);
  return {
    signal: abort.signal,
    dispose: () => {
      io.signals.off('SIGINT', onSignal);
      io.signals.off('SIGTERM', onSignal);
    },
  };
}

/** Resolves when the signal is aborted. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  signal.aborted ? Promise.resolve() : new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
