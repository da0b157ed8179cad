import { and, asc, eq, gt, isNull, sql } from 'drizzle-orm';
import type { Records } from '../records.js';
import type { Connection } from './connection.js';
import { prepared, preparedByShape } from './prepared.js';
import { DEVICE_UPDATE, deviceUpdateRecord, TASK, taskOf } from './rows.js';
import { deviceUpdates, firmware, tasks } from './schema.js';

type ChangeRecords = Pick<Records, 'changesSince' | 'lastChange' | 'onChange'>;

export function changeRecords(connection: Connection): ChangeRecords {
  const { sqlite, writes } = connection;
  const counter = sqlite.prepare<[], number>('SELECT value FROM change_counter WHERE id = 1').pluck();
  const lastChange = () => counter.get() ?? 0;
  const { ofTasks, ofUpdates } = changeStatements(connection);

  return {
    async changesSince(change, taskId, limit) {
      // Read first: what is committed after the rows are read has a higher number and comes next time.
      const newest = lastChange();
      const bound = { change, limit: limit + 1, taskId: taskId ?? undefined };
      const changedTasks = ofTasks.all(bound).map((row) => taskOf(row.task, row.firmware));
      const changedUpdates = taskId === null ? [] : ofUpdates.all(bound).map(deviceUpdateRecord);
      const more = changedTasks.length > limit || changedUpdates.length > limit;
      if (!more) return { tasks: changedTasks, deviceUpdates: changedUpdates, change: newest, more };
      return cutOff(changedTasks, changedUpdates, limit);
    },
    lastChange: async () => lastChange(),
    onChange: (listener) => writes.onChange(listener),
  };
}

/** Every live stream asks after every commit. */
function changeStatements({ db }: Connection) {
  const [change, limit] = [sql.placeholder('change'), sql.placeholder('limit')];
  return {
    ofTasks: preparedByShape(TASK, (given) =>
      db
        .select(TASK)
        .from(tasks)
        .innerJoin(firmware, eq(firmware.id, tasks.firmwareId))
        .where(
          and(
            gt(tasks.change, change),
            isNull(tasks.forgottenAtMs),
            given('taskId', (taskId) => eq(tasks.id, taskId)),
          ),
        )
        .orderBy(asc(tasks.change))
        .limit(limit),
    ),
    ofUpdates: prepared(
      DEVICE_UPDATE,
      db
        .select(DEVICE_UPDATE)
        .from(deviceUpdates)
        .where(and(eq(deviceUpdates.taskId, sql.placeholder('taskId')), gt(deviceUpdates.change, change)))
        .orderBy(asc(deviceUpdates.change))
        .limit(limit),
    ),
  };
}

interface Numbered {
  readonly change: number;
}

/** A full page goes only as far as both lists are complete; no two rows share a change number. */
function cutOff<T extends Numbered, U extends Numbered>(
  changedTasks: readonly T[],
  changedUpdates: readonly U[],
  limit: number,
) {
  const lastWhole = (rows: readonly Numbered[]) =>
    rows.length > limit ? (rows[limit]?.change ?? 0) - 1 : Number.MAX_SAFE_INTEGER;
  const change = Math.min(lastWhole(changedTasks), lastWhole(changedUpdates));
  const upTo = <R extends Numbered>(rows: readonly R[]) => rows.filter((row) => row.change <= change);
  return { tasks: upTo(changedTasks), deviceUpdates: upTo(changedUpdates), change, more: true };
}
