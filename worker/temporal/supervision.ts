import type { Logger } from 'pino';
import { startEmbeddedServer, type EmbeddedServer, type EmbeddedServerOptions } from './embedded-server.js';

export interface Supervision {
  /** Resolves when the server can't be kept running. */
  readonly lost: Promise<Error>;
  stop(): Promise<void>;
}

/** A server that ends more often than this in a minute is not to be helped by another start. */
const RESTARTS_A_MINUTE_MAX = 5;
const MINUTE_MS = 60_000;

/**
 * Keeps the embedded server running: one that has ended unasked, killed or crashed, is started again on the same ports
 * and database. Clients and workers reconnect by themselves; what they could not tell it meanwhile is told again.
 */
export function superviseServer(
  first: EmbeddedServer,
  options: EmbeddedServerOptions,
  log: Pick<Logger, 'warn'>,
): Supervision {
  let current = first;
  let stopping = false;
  const restartedAtMs: number[] = [];

  async function keepRunning(): Promise<Error> {
    for (;;) {
      await current.exited;
      if (stopping) return new Promise<never>(() => undefined);
      const now = Date.now();
      restartedAtMs.push(now);
      if (restartedAtMs.filter((atMs) => now - atMs < MINUTE_MS).length > RESTARTS_A_MINUTE_MAX) {
        return new Error('The embedded Temporal server keeps ending');
      }
      log.warn({ pid: current.pid }, 'the embedded Temporal server has ended; starting it again');
      try {
        current = await startEmbeddedServer({ ...options, port: first.port, uiPort: first.uiPort });
      } catch (error) {
        return new Error(`The embedded Temporal server has ended and can't be started again: ${String(error)}`);
      }
    }
  }

  return {
    lost: keepRunning(),
    stop: () => {
      stopping = true;
      return current.stop();
    },
  };
}
