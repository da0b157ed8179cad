import { and, asc, eq, gt, isNull } from 'drizzle-orm';
import type { Records } from '../records.js';
import type { Connection } from './connection.js';
import { deviceUpdateOf, taskOf } from './rows.js';
import { changeCounter, deviceUpdates, firmware, tasks } from './schema.js';

type ChangeRecords = Pick<Records, 'changesSince' | 'lastChange' | 'onChange'>;

export function changeRecords({ db, writes }: Connection): ChangeRecords {
  const lastChange = () => db.select().from(changeCounter).get()?.value ?? 0;

  return {
    async changesSince(change, taskId, limit) {
      // Read first: what is committed after the rows are read has a higher number and comes next time.
      const newest = lastChange();
      const changedTasks = db
        .select()
        .from(tasks)
        .innerJoin(firmware, eq(firmware.id, tasks.firmwareId))
        .where(
          and(
            gt(tasks.change, change),
            taskId === null ? undefined : eq(tasks.id, taskId),
            isNull(tasks.forgottenAtMs),
          ),
        )
        .orderBy(asc(tasks.change))
        .limit(limit + 1)
        .all()
        .map((row) => taskOf(row.tasks, row.firmware));
      const changedUpdates =
        taskId === null
          ? []
          : db
              .select()
              .from(deviceUpdates)
              .where(and(eq(deviceUpdates.taskId, taskId), gt(deviceUpdates.change, change)))
              .orderBy(asc(deviceUpdates.change))
              .limit(limit + 1)
              .all()
              .map(deviceUpdateOf);
      const more = changedTasks.length > limit || changedUpdates.length > limit;
      if (!more) return { tasks: changedTasks, deviceUpdates: changedUpdates, change: newest, more };
      return cutOff(changedTasks, changedUpdates, limit);
    },
    lastChange: async () => lastChange(),
    onChange: (listener) => writes.onChange(listener),
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
