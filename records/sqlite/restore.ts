import { and, eq, inArray, sql } from 'drizzle-orm';
import { OPEN_TASK_STATUSES } from '../../domain/update-task.js';
import { DOWNLOAD_URL_KEY, type Records } from '../records.js';
import type { Connection } from './connection.js';
import { NOTHING_TOLD } from './outbox.js';
import { deviceUpdates, devices, sessions, settings, signInLinks, tasks } from './schema.js';

type RestoreRecords = Pick<Records, 'engineRestored' | 'restorePoint' | 'engineCaughtUp' | 'beginEra' | 'isLostChange'>;

const OPEN_UPDATE = ['pending', 'notified', 'upgrading'] as const;
/** Name of the setting that holds the restore point. */
const RESTORE_POINT = 'restore-point';

/** Name of the setting that holds the spans of lost change numbers. */
const LOST_CHANGES = 'lost-changes';
/** More than are given in a moment; over time, fewer than one in a millisecond are. */
const GAP = 1_000_000;

/** Numbers that may have been given once: those between the two. */
interface Span {
  readonly after: number;
  readonly before: number;
}

/** What is undelivered is delivered by outbox and gateway anyway: here it only becomes undelivered again. */
export function restoreRecords({ db, sqlite, writes }: Connection): RestoreRecords {
  const isRestorePoint = eq(settings.name, RESTORE_POINT);

  const statements = {
    lastChange: sqlite.prepare<[], number>('SELECT value FROM change_counter').pluck(),
    lastUpdate: sqlite.prepare<[], number>("SELECT seq FROM sqlite_sequence WHERE name = 'device_updates'").pluck(),
    setUpdate: sqlite.prepare<[number]>("UPDATE sqlite_sequence SET seq = ? WHERE name = 'device_updates'"),
    addUpdate: sqlite.prepare<[number]>("INSERT INTO sqlite_sequence (name, seq) VALUES ('device_updates', ?)"),
  };
  const lostChanges = (): readonly Span[] => {
    const found = db.select().from(settings).where(eq(settings.name, LOST_CHANGES)).get();
    return found ? (JSON.parse(found.value) as Span[]) : [];
  };
  const set = (name: string, value: string): void => {
    db.insert(settings).values({ name, value }).onConflictDoUpdate({ target: settings.name, set: { value } }).run();
  };

  return {
    beginEra: (atMs) =>
      writes.run(({ nextChanges }) => {
        const from = statements.lastChange.get() ?? 0;
        const change = Math.max(from + GAP, atMs);
        nextChanges(change - from);
        set(LOST_CHANGES, JSON.stringify([...lostChanges(), { after: from, before: change }]));
        const update = Math.max((statements.lastUpdate.get() ?? 0) + GAP, atMs);
        if (statements.setUpdate.run(update).changes === 0) statements.addUpdate.run(update);
        db.delete(settings).where(eq(settings.name, DOWNLOAD_URL_KEY)).run();
        db.delete(sessions).run();
        db.delete(signInLinks).run();
      }),

    isLostChange: async (change) => lostChanges().some(({ after, before }) => after < change && change < before),

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
        set(RESTORE_POINT, String(change));
      }),

    async restorePoint() {
      const found = db.select().from(settings).where(isRestorePoint).get();
      return found && Number(found.value);
    },

    engineCaughtUp: () => writes.run(() => void db.delete(settings).where(isRestorePoint).run()),
  };
}
