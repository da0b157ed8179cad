import { statSync } from 'node:fs';
import type { Records } from '../records.js';
import { LOG_BYTES_MAX, type Connection } from './connection.js';

type RetentionRecords = Pick<Records, 'forgetTasks' | 'countForgettable' | 'lastRetention' | 'retentionFinished'>;

/** Name of the setting that holds when the last finished run began. */
const LAST_RUN = 'retention-last-run';

/** A task that a kept one re-initiates is kept too. */
const IS_DUE = `ended_at_ms < ? AND NOT EXISTS (SELECT 1 FROM tasks later WHERE later.reinitiates = tasks.id)`;

/** Tasks ended before a time, without those that lead, by re-initiations, to one that is kept. */
const FORGETTABLE = `
  WITH RECURSIVE held(id) AS (
    SELECT reinitiates FROM tasks WHERE reinitiates IS NOT NULL AND (ended_at_ms IS NULL OR ended_at_ms >= ?)
    UNION SELECT older.reinitiates FROM held JOIN tasks older ON older.id = held.id WHERE older.reinitiates IS NOT NULL
  )
  SELECT count(*) AS tasks, coalesce(sum(total), 0) AS deviceUpdates
  FROM tasks WHERE ended_at_ms < ? AND id NOT IN (SELECT id FROM held)`;

interface Checkpoint {
  readonly log: number;
  readonly checkpointed: number;
}

export function retentionRecords({ sqlite, writes }: Connection): RetentionRecords {
  const id = (query: string) => sqlite.prepare<unknown[], string>(query).pluck();
  const begun = id('SELECT id FROM tasks WHERE forgotten_at_ms IS NOT NULL LIMIT 1');
  const due = id(`SELECT id FROM tasks WHERE ${IS_DUE} ORDER BY ended_at_ms LIMIT 1`);
  const mark = sqlite.prepare('UPDATE tasks SET forgotten_at_ms = ? WHERE id = ?');
  const dropUpdates = sqlite.prepare(
    'DELETE FROM device_updates WHERE id IN (SELECT id FROM device_updates WHERE task_id = ? ORDER BY ordinal LIMIT ?)',
  );
  const dropClaims = sqlite.prepare('DELETE FROM claims WHERE task_id = ?');
  const dropTask = sqlite.prepare('DELETE FROM tasks WHERE id = ?');
  const lastRun = id('SELECT value FROM settings WHERE name = ?');
  const setLastRun = sqlite.prepare(
    'INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
  );
  const forgettable = sqlite.prepare<[number, number], { tasks: number; deviceUpdates: number }>(FORGETTABLE);

  /** The task that is under way, or the next one, which nobody sees from here on. */
  function next(endedBeforeMs: number, atMs: number): string | undefined {
    const underWay = begun.get();
    if (underWay !== undefined) return underWay;
    const found = due.get(endedBeforeMs);
    if (found !== undefined) mark.run(atMs, found);
    return found;
  }

  /** A long reader, such as a backup, keeps the log from being written back: each piece would make it longer. */
  function isLogHeld(): boolean {
    const size = statSync(`${sqlite.name}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    if (size <= LOG_BYTES_MAX) return false;
    // It never shrinks by itself: what counts is what is still to be written back.
    const [{ log, checkpointed } = { log: 0, checkpointed: 0 }] = sqlite.pragma(
      'wal_checkpoint(PASSIVE)',
    ) as Checkpoint[];
    return log > checkpointed;
  }

  return {
    async forgetTasks({ endedBeforeMs, atMs, rowsMax }) {
      let [tasks, deviceUpdates] = [0, 0];
      if (isLogHeld()) return { tasks, deviceUpdates, more: true };
      return writes.run(() => {
        for (let left = rowsMax; left > 0; left--) {
          const taskId = next(endedBeforeMs, atMs);
          if (taskId === undefined) return { tasks, deviceUpdates, more: false };
          const { changes } = dropUpdates.run(taskId, left);
          deviceUpdates += changes;
          left -= changes;
          // There may be more of them: the task goes with the last.
          if (left <= 0) break;
          dropClaims.run(taskId);
          dropTask.run(taskId);
          tasks++;
        }
        return { tasks, deviceUpdates, more: true };
      });
    },

    async lastRetention() {
      const found = lastRun.get(LAST_RUN);
      return found === undefined ? undefined : Number(found);
    },

    retentionFinished: (begunAtMs) =>
      writes.run(() => {
        setLastRun.run(LAST_RUN, String(begunAtMs));
      }),

    async countForgettable(endedBeforeMs) {
      return forgettable.get(endedBeforeMs, endedBeforeMs) ?? { tasks: 0, deviceUpdates: 0 };
    },
  };
}
