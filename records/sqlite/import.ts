import { and, eq, isNull, sql } from 'drizzle-orm';
import { countOf, isTaskOpen } from '../../domain/update-task.js';
import type { Records, TaskSnapshot } from '../records.js';
import type { Connection } from './connection.js';
import { claims, deviceUpdates, firmware, products, tasks } from './schema.js';
import { taskFinder } from './tasks.js';
import { noteVerification } from './verification-results.js';
import type { WriteContext } from './write-queue.js';

/** Tasks from outside: a rebuild of the records from the engine's histories. */
export function importRecords(connection: Connection): Pick<Records, 'importTask'> {
  const { db, writes } = connection;
  const { existing } = taskFinder(connection);
  return {
    importTask: (task) =>
      writes.run((context) => {
        if (db.select({ id: tasks.id }).from(tasks).where(eq(tasks.id, task.id)).get()) return false;
        importFirmware(connection, task);
        importRows(connection, task, context);
        if (verifies(task)) noteVerification(connection, existing(task.id));
        return true;
      }),
  };
}

function importFirmware({ db }: Connection, task: TaskSnapshot): void {
  const { firmware: used, endedAtMs } = task;
  const { id, productKey, module, version, createdAtMs } = used;
  db.insert(products)
    .values({ productKey, name: productKey, createdAtMs, trustUndecided: true })
    .onConflictDoNothing()
    .run();
  // A firmware of the same version was there before: it must have been deleted.
  db.update(firmware)
    .set({ deletedAtMs: createdAtMs })
    .where(
      and(
        eq(firmware.productKey, productKey),
        eq(firmware.module, module),
        eq(firmware.version, version),
        isNull(firmware.deletedAtMs),
        sql`${firmware.id} <> ${id} AND ${firmware.createdAtMs} < ${createdAtMs}`,
      ),
    )
    .run();
  db.insert(firmware)
    .values({ ...used })
    .onConflictDoNothing()
    .run();
  const verifiedAtMs = verifies(task) ? endedAtMs : used.verifiedAtMs;
  if (verifiedAtMs === null) return;
  db.update(firmware)
    .set({ verifiedAtMs: sql`min(coalesce(${firmware.verifiedAtMs}, ${verifiedAtMs}), ${verifiedAtMs})` })
    .where(eq(firmware.id, id))
    .run();
}

/** A completed verification that reached a device. */
const verifies = ({ kind, status, deviceUpdates: updates }: TaskSnapshot): boolean =>
  kind === 'verification' &&
  status === 'completed' &&
  updates.some(({ state }) => state.notifications > 0 || state.outcome === 'succeeded');

function importRows({ db }: Connection, task: TaskSnapshot, { nextChange, touched }: WriteContext): void {
  const { id, kind, firmware: used, sourceVersions, createdAtMs, endedAtMs } = task;
  const { productKey, module } = used;
  const counts = { pending: 0, notified: 0, upgrading: 0, succeeded: 0, failed: 0, cancelled: 0 };
  for (const { state } of task.deviceUpdates) counts[countOf(state.status, state.outcome)]++;
  const isOpen = isTaskOpen(task.status);
  db.insert(tasks)
    .values({
      ...{ id, kind, status: task.status, firmwareId: used.id, productKey, sourceVersions, policy: task.policy },
      ...{
        reinitiates: task.reinitiates,
        startedBy: task.startedBy,
        runId: task.runId,
        createdAtMs,
        startedAtMs: task.startedAtMs,
        endedAtMs,
      },
      ...{ needsApproval: task.needsApproval, approval: task.approval, approvalDelivered: Boolean(task.approval) },
      ...{ cancelRequestedAtMs: task.cancelRequestedAtMs, endRequestedAtMs: task.endRequestedAtMs },
      // Its run is there: the engine knows what it was told, and has still to be told what will be asked for.
      startDelivered: true,
      ...{ cancelDelivered: task.cancelRequestedAtMs !== null, endDelivered: task.endRequestedAtMs !== null },
      ...{ ...counts, total: task.deviceUpdates.length, change: nextChange() },
    })
    .run();
  touched(id);
  if (kind === 'batch') {
    for (const sourceVersion of sourceVersions) {
      const stoppedAtMs =
        task.cancelRequestedAtMs ?? (task.approval?.decision === 'rejected' ? task.approval.atMs : null);
      const releasedAtMs = isOpen ? stoppedAtMs : endedAtMs;
      db.insert(claims).values({ taskId: id, productKey, module, sourceVersion, releasedAtMs }).run();
    }
  }
  for (const { state, ...update } of task.deviceUpdates) {
    db.insert(deviceUpdates)
      .values({ ...state, ...update, taskId: id, productKey, module, createdAtMs, change: nextChange() })
      .run();
  }
  // The trigger counts changes only: one at each insert would cost a batch of 100,000 devices a third of a second.
  db.run(sql`INSERT INTO failure_counts (task_id, cause, count) SELECT task_id, cause, count(*) FROM device_updates
    WHERE task_id = ${id} AND cause IS NOT NULL GROUP BY task_id, cause`);
}
