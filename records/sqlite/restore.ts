import { and, eq, inArray, sql } from 'drizzle-orm';
import { OPEN_TASK_STATUSES } from '../../domain/update-task.js';
import type { Records } from '../records.js';
import type { Connection } from './connection.js';
import { NOTHING_TOLD } from './outbox.js';
import { deviceUpdates, devices, settings, tasks } from './schema.js';

type RestoreRecords = Pick<Records, 'engineRestored' | 'restorePoint' | 'engineCaughtUp'>;

const OPEN_UPDATE = ['pending', 'notified', 'upgrading'] as const;
/** Name of the setting that holds the restore point. */
const RESTORE_POINT = 'restore-point';

/** What is undelivered is delivered by outbox and gateway anyway: here it only becomes undelivered again. */
export function restoreRecords({ db, writes }: Connection): RestoreRecords {
  const isRestorePoint = eq(settings.name, RESTORE_POINT);

  return {
    engineRestored: (change) =>
      writes.run(() => {
        db.update(tasks)
          .set(NOTHING_TOLD)
          .where(inArray(tasks.status, [...OPEN_TASK_STATUSES]))
          .run();
        const openTasks = db
          .select({ id: tasks.id })
          .from(tasks)
          .where(inArray(tasks.status, [...OPEN_TASK_STATUSES]));
        db.update(deviceUpdates)
          .set({
            ...{ cancelDelivered: false, progressSignalled: false, hundredSignalled: false },
            ...{ failureSignalled: false, targetSignalled: false },
            // The number of signals stays: a flapping device is held back after a restore too.
            onlineSignalledAtMs: null,
            newsAtMs: sql`coalesce(${deviceUpdates.targetHeardAtMs}, json_extract(${deviceUpdates.reportedFailure}, '$.atMs'))`,
          })
          .where(and(inArray(deviceUpdates.taskId, openTasks), inArray(deviceUpdates.status, [...OPEN_UPDATE])))
          .run();
        db.update(devices)
          .set({ online: false, connectionId: null })
          .where(sql`${devices.online} = 1`)
          .run();
        if (change === null) return;
        const value = String(change);
        db.insert(settings)
          .values({ name: RESTORE_POINT, value })
          .onConflictDoUpdate({ target: settings.name, set: { value } })
          .run();
      }),

    async restorePoint() {
      const found = db.select().from(settings).where(isRestorePoint).get();
      return found && Number(found.value);
    },

    engineCaughtUp: () => writes.run(() => void db.delete(settings).where(isRestorePoint).run()),
  };
}
