import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { startEmbeddedServer, type EmbeddedServer, type EmbeddedServerOptions } from './embedded-server.js';

export interface Supervision {
  stop(): Promise<void>;
}

/** A server that has run this long was well: its next end is a new story. */
const WELL_MS = 60_000;
const PAUSE_MS = 1_000;
const PAUSE_MS_MAX = 30_000;

/** The first start again is at once; then the pauses double, so that a broken disk is not worn out. */
export const restartPauseMs = (endsInARow: number): number =>
  endsInARow <= 1 ? 0 : Math.min(PAUSE_MS * 2 ** (endsInARow - 2), PAUSE_MS_MAX);

/**
 * Keeps the embedded server running: one that has ended unasked, killed, crashed or out of disk, is started again on
 * the same ports and database, for as long as it takes. Clients and workers reconnect by themselves; what they could
 * not tell it meanwhile is told again.
 */
export function superviseServer(
  first: EmbeddedServer,
  options: EmbeddedServerOptions,
  log: Pick<Logger, 'warn'>,
): Supervision {
  let current = first;
  const stopping = new AbortController();
  const isStopping = () => stopping.signal.aborted;
  const supervision = keepRunning();

  async function keepRunning(): Promise<void> {
    let endsInARow = 0;
    let startedMs = performance.now();
    for (;;) {
      await current.exited;
      if (isStopping()) return;
      endsInARow = performance.now() - startedMs > WELL_MS ? 1 : endsInARow + 1;
      const pauseMs = restartPauseMs(endsInARow);
      log.warn({ pid: current.pid, pauseMs }, 'the embedded Temporal server has ended; it is started again');
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (isStopping()) return;
      startedMs = performance.now();
      try {
        current = await startEmbeddedServer({ ...options, port: first.port, uiPort: first.uiPort });
      } catch (error) {
        log.warn({ error: String(error) }, 'the embedded Temporal server could not be started; it is tried again');
      }
    }
  }

  return {
    async stop() {
      stopping.abort();
      await current.stop();
      await supervision;
      // One that was being started meanwhile.
      await current.stop();
    },
  };
}
