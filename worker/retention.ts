import { setTimeout as sleep } from 'node:timers/promises';
import { Cron } from 'croner';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Logger } from 'pino';
import type { ForgettingReport } from '../api/deps.js';
import type { Records } from '../records/records.js';

/** A local time of day. */
export interface TimeOfDay {
  readonly hour: number;
  readonly minute: number;
}

export interface RetentionDeps {
  readonly records: Pick<Records, 'forgetTasks' | 'countForgettable' | 'lastRetention' | 'retentionFinished'>;
  /** Tasks that ended longer ago are forgotten every night; null: never. */
  readonly recordsDays: number | null;
  readonly at: TimeOfDay;
  readonly metrics: RetentionMetrics;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  /** Milliseconds of a clock that nobody sets. */
  readonly steadyMs?: () => number;
  /** Resolves after that many milliseconds, or at once when the signal is aborted. */
  readonly pause?: (ms: number, stopping: AbortSignal) => Promise<void>;
}

/** What retention counts; prom-client's metrics fit. */
export interface RetentionMetrics {
  readonly deviceUpdates: { inc(count: number): void };
  readonly tasks: { inc(count: number): void };
  readonly lastRun: { setToCurrentTime(): void };
}

const DAY_MS = 24 * 3_600_000;
/** Device updates and tasks a write: some 10 ms, for which everything else waits. docs/performance.md, 8. */
export const ROWS_A_PIECE = 200;
/** Pauses of this many times what a piece took, so that nine tenths of the time are everybody else's. */
export const PAUSE_TIMES = 9;
/** While the database can't keep up, nothing is removed. */
const HELD_MS = 1_000;

/** Forgets ended tasks: every night those that are old enough, and what an operator asks for; in small pieces. */
export function createRetention(deps: RetentionDeps) {
  const { records, recordsDays, at, metrics, log } = deps;
  const { now = Date.now, steadyMs = () => performance.now(), pause = interruptiblePause } = deps;
  const stopping = new AbortController();
  const nightly = new Cron(`${at.minute} ${at.hour} * * *`, { paused: true });
  /** When the last nightly run began, whether it has finished or not. */
  let triedAtMs: number | undefined;
  /** When the one began that has not finished yet. */
  let unfinishedAtMs: number | undefined;
  let endedBeforeMs = 0;
  let running: Promise<void> | undefined;

  function begin(beforeMs: number): void {
    endedBeforeMs = Math.max(endedBeforeMs, beforeMs);
    running ??= work().finally(() => {
      running = undefined;
      endedBeforeMs = 0;
    });
  }

  /** Goes on as long as more is asked for meanwhile. A piece that fails ends it until the next night. */
  async function work(): Promise<void> {
    try {
      let done: number;
      do {
        done = endedBeforeMs;
        await forgetBefore(done);
      } while (endedBeforeMs > done && !stopping.signal.aborted);
    } catch (error) {
      log.warn({ error: String(error) }, 'old records could not be forgotten; the next night tries again');
    }
  }

  async function forgetBefore(beforeMs: number): Promise<void> {
    const startedMs = steadyMs();
    let [tasks, deviceUpdates, more] = [0, 0, true];
    while (more && !stopping.signal.aborted) {
      const begunMs = steadyMs();
      const piece = await records.forgetTasks({ endedBeforeMs: beforeMs, atMs: now(), rowsMax: ROWS_A_PIECE });
      metrics.tasks.inc(piece.tasks);
      metrics.deviceUpdates.inc(piece.deviceUpdates);
      [tasks, deviceUpdates, more] = [tasks + piece.tasks, deviceUpdates + piece.deviceUpdates, piece.more];
      const isHeld = more && piece.tasks + piece.deviceUpdates === 0;
      if (more) await pause(isHeld ? HELD_MS : PAUSE_TIMES * (steadyMs() - begunMs), stopping.signal);
    }
    if (!more) await finished();
    // Only what a stop had left over was asked for, and there was nothing.
    if (beforeMs === 0 && tasks + deviceUpdates === 0) return;
    const seconds = Math.round((steadyMs() - startedMs) / 1_000);
    log.info({ tasks, deviceUpdates, seconds, finished: !more }, 'records of ended tasks were forgotten');
  }

  async function finished(): Promise<void> {
    metrics.lastRun.setToCurrentTime();
    if (unfinishedAtMs === undefined) return;
    await records.retentionFinished(unfinishedAtMs);
    unfinishedAtMs = undefined;
  }

  return {
    /**
     * A job of the reconciler: begins when the time of day has come since the last run that finished, of this service
     * or of an earlier start; so a night is made up for in which the service was down, or was stopped in mid-run.
     */
    async tick(): Promise<void> {
      const atMs = now();
      const isFirst = triedAtMs === undefined;
      // Of a clock that was ahead: the next night counts.
      triedAtMs = Math.min(triedAtMs ?? (await records.lastRetention()) ?? -Infinity, atMs);
      if (recordsDays !== null && latest(nightly, atMs) > triedAtMs) {
        triedAtMs = atMs;
        unfinishedAtMs = atMs;
        begin(atMs - recordsDays * DAY_MS);
      } else if (isFirst) begin(0);
    },

    /** Begins it now, in the background. @returns what there is to forget */
    async forget(olderThanMs: number): Promise<ForgettingReport> {
      const beforeMs = now() - olderThanMs;
      const due = await records.countForgettable(beforeMs);
      begin(beforeMs);
      return { endedBefore: new Date(beforeMs).toISOString(), ...due };
    },

    /** Resolves when the piece under way is committed; the next start goes on with a task that is half gone. */
    async stop(): Promise<void> {
      stopping.abort();
      await running;
    },
  };
}

/** When that time of day was last: now at the latest. */
const latest = (nightly: Cron, nowMs: number): number =>
  // Answered is what was before a time.
  nightly.previousRuns(1, new Date(nowMs + 1))[0]?.getTime() ?? -Infinity;

async function interruptiblePause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

/** Registered for `/metrics`. */
export function createRetentionMetrics(registry: Registry): RetentionMetrics {
  const registers = [registry];
  return {
    deviceUpdates: new Counter({
      name: 'ferry_forgotten_device_updates_total',
      help: 'Device updates whose records were deleted, because their task ended long enough ago',
      registers,
    }),
    tasks: new Counter({ name: 'ferry_forgotten_tasks_total', help: 'Tasks whose records were deleted', registers }),
    lastRun: new Gauge({
      name: 'ferry_retention_last_run_timestamp_seconds',
      help: 'When retention last had nothing left to do',
      registers,
    }),
  };
}
