import { and, eq, isNotNull } from 'drizzle-orm';
import type { Records } from '../records.js';
import type { Connection } from './connection.js';
import { deviceUpdates, firmware, tasks } from './schema.js';

type PauseRecords = Pick<Records, 'pauseTasksOf' | 'resumeTasksOf' | 'pausedFiles' | 'countTasks'>;

/** Tasks that send nothing at present. Their runs find out by themselves, whenever they would send something. */
export function pauseRecords({ db, writes }: Connection): PauseRecords {
  const tasksOf = (sha256: string, status: 'running' | 'paused'): string[] =>
    db
      .select({ id: tasks.id })
      .from(tasks)
      .innerJoin(firmware, eq(firmware.id, tasks.firmwareId))
      .where(and(eq(firmware.sha256, sha256), eq(tasks.status, status)))
      .all()
      .map(({ id }) => id);
  const change = (ids: () => readonly string[], set: Partial<typeof tasks.$inferInsert>) =>
    writes.run(({ nextChange, touched }) => {
      const changed = ids();
      for (const id of changed) {
        db.update(tasks)
          .set({ ...set, change: nextChange() })
          .where(eq(tasks.id, id))
          .run();
        touched(id);
      }
      return changed;
    });

  /** Its devices were held back, each longer than the one before: the next sweep signals those that are online. */
  const wake = (taskId: string): string => {
    db.update(deviceUpdates)
      .set({ onlineSignals: 0, onlineSignalledAtMs: null })
      .where(
        and(
          eq(deviceUpdates.taskId, taskId),
          eq(deviceUpdates.status, 'pending'),
          isNotNull(deviceUpdates.onlineSignalledAtMs),
        ),
      )
      .run();
    return taskId;
  };

  return {
    pauseTasksOf: (sha256, cause, atMs) =>
      change(() => tasksOf(sha256, 'running'), { status: 'paused', pausedCause: cause, pausedAtMs: atMs }),
    resumeTasksOf: (sha256) =>
      change(() => tasksOf(sha256, 'paused').map(wake), { status: 'running', pausedCause: null, pausedAtMs: null }),
    countTasks: async (status) => db.$count(tasks, eq(tasks.status, status)),
    pausedFiles: async () =>
      db
        .selectDistinct({ sha256: firmware.sha256 })
        .from(tasks)
        .innerJoin(firmware, eq(firmware.id, tasks.firmwareId))
        .where(eq(tasks.status, 'paused'))
        .all()
        .map(({ sha256 }) => sha256),
  };
}
