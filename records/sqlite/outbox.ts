import { and, asc, eq, sql } from 'drizzle-orm';
import { FerryError, notFound } from '../../domain/errors.js';
import { isOpen } from '../../domain/device-update.js';
import { awaitsApproval, isTaskOpen } from '../../domain/update-task.js';
import type { Records, TaskRecord, Undelivered } from '../records.js';
import { releaseClaims } from './claims.js';
import type { Connection } from './connection.js';
import { deviceUpdateFinder } from './device-update-rows.js';
import { prepared } from './prepared.js';
import { DEVICE_UPDATE, deviceUpdateOf, deviceUpdateRecord, TASK, taskOf } from './rows.js';
import { hasReachedADevice } from './reached.js';
import { deviceUpdates, firmware, tasks } from './schema.js';
import { taskFinder } from './tasks.js';
import { waitingUpdates } from './waiting-updates.js';

type OutboxRecords = Pick<
  Records,
  | 'requestTaskCancel'
  | 'requestVerificationEnd'
  | 'requestDeviceCancel'
  | 'decideTask'
  | 'undeliveredTasks'
  | 'undeliveredTask'
  | 'undeliveredDeviceCancels'
  | 'tasksWithUndeliveredDeviceCancels'
  | 'delivered'
  | 'deviceCancelDelivered'
  | 'cancelWaiting'
  | 'untoldRuns'
>;

/** Of a task of which the engine is to be told everything again. */
export const NOTHING_TOLD = {
  startDelivered: false,
  cancelDelivered: false,
  endDelivered: false,
  approvalDelivered: false,
} as const;

/** Undelivered facts of a task, with what its record is made of. */
const UNDELIVERED = {
  ...TASK,
  told: {
    startDelivered: tasks.startDelivered,
    cancelDelivered: tasks.cancelDelivered,
    endDelivered: tasks.endDelivered,
    approvalDelivered: tasks.approvalDelivered,
  },
};
const HAS_UNDELIVERED = sql`${tasks.endedAtMs} IS NULL AND (
  ${tasks.startDelivered} = 0
  OR (${tasks.cancelRequestedAtMs} IS NOT NULL AND ${tasks.cancelDelivered} = 0)
  OR (${tasks.endRequestedAtMs} IS NOT NULL AND ${tasks.endDelivered} = 0)
  OR (${tasks.approval} IS NOT NULL AND ${tasks.approvalDelivered} = 0))`;

export function outboxRecords(connection: Connection): OutboxRecords {
  const { db, writes } = connection;
  const { existing } = taskFinder(connection);
  const find = deviceUpdateFinder(connection);

  const openTask = (taskId: string): TaskRecord => {
    const task = existing(taskId);
    if (isTaskOpen(task.status)) return task;
    throw new FerryError('task-not-open', `Task ${taskId} is ${task.status} already.`);
  };
  const requested = (taskId: string, what: 'cancel' | 'end', atMs: number) =>
    writes.run(({ nextChange, touched }) => {
      const task = openTask(taskId);
      if (what === 'end' && task.kind !== 'verification') {
        throw new FerryError(
          'not-a-verification',
          `Task ${taskId} is a batch; only a verification can be ended early. Cancel it instead.`,
        );
      }
      // The two end a verification differently: whoever asks for the second must not be told that it is on its way.
      const underWay =
        task.cancelRequestedAtMs !== null ? 'cancel' : task.endRequestedAtMs !== null ? 'end' : undefined;
      // It is told again, which does no harm: a message that was lost would leave the task open for ever.
      const untold = what === 'cancel' ? { cancelDelivered: false } : { endDelivered: false };
      if (underWay === what) {
        db.update(tasks).set(untold).where(eq(tasks.id, taskId)).run();
        return task;
      }
      if (underWay !== undefined) {
        const isBeing = underWay === 'end' ? 'ended' : 'cancelled';
        throw new FerryError('task-not-open', `Task ${taskId} is being ${isBeing} already; wait until it has ended.`);
      }
      const set = what === 'cancel' ? { cancelRequestedAtMs: atMs } : { endRequestedAtMs: atMs };
      if (what === 'end' && !hasReachedADevice(connection, taskId)) throw reachedNobody(taskId);
      db.update(tasks)
        .set({ ...set, ...untold, change: nextChange() })
        .where(eq(tasks.id, taskId))
        .run();
      releaseClaims(connection, taskId, atMs);
      touched(taskId);
      return existing(taskId);
    });
  const undelivered = undeliveredStatements(connection);

  return {
    ...waitingUpdates(connection),
    requestTaskCancel: (taskId, atMs) => requested(taskId, 'cancel', atMs),
    requestVerificationEnd: (taskId, atMs) => requested(taskId, 'end', atMs),

    requestDeviceCancel: (taskId, deviceName, atMs) =>
      writes.run(({ nextChange, touched }) => {
        const row = find.row(taskId, deviceName);
        if (!row) throw notFound(`Device ${deviceName} in task ${taskId}`);
        if (!isOpen(row.status)) {
          throw new FerryError(
            'device-update-ended',
            `The update of ${deviceName} in task ${taskId} has ended already: ${row.outcome ?? row.status}.`,
          );
        }
        if (row.cancelRequestedAtMs === null) {
          db.update(deviceUpdates)
            .set({ cancelRequestedAtMs: atMs, cancelDelivered: false, change: nextChange() })
            .where(eq(deviceUpdates.id, row.id))
            .run();
          touched(taskId);
        }
        return deviceUpdateOf(find.row(taskId, deviceName) ?? row);
      }),

    decideTask: (taskId, approval) =>
      writes.run(({ nextChange, touched }) => {
        const task = existing(taskId);
        if (task.approval?.decision === approval.decision && task.approval.by === approval.by) {
          return { value: task, replayed: true };
        }
        requireUndecided(task);
        if (task.startedBy === approval.by) {
          throw new FerryError(
            'second-operator-required',
            `Task ${taskId} was created by ${approval.by}; somebody else must decide. Sign in with another operator's token.`,
          );
        }
        db.update(tasks)
          .set({ approval, approvalDelivered: false, change: nextChange() })
          .where(eq(tasks.id, taskId))
          .run();
        if (approval.decision === 'rejected') releaseClaims(connection, taskId, approval.atMs);
        touched(taskId);
        return { value: existing(taskId), replayed: false };
      }),

    async undeliveredTasks(limit) {
      return undelivered.tasks.all({ limit }).map(undeliveredOf);
    },

    async undeliveredTask(taskId) {
      const row = undelivered.task.first({ taskId });
      return row && undeliveredOf(row);
    },

    async undeliveredDeviceCancels(taskId, limit) {
      return undelivered.cancelsOf.all({ limit, taskId }).map(deviceUpdateRecord);
    },

    async tasksWithUndeliveredDeviceCancels(limit) {
      return undelivered.tasksOfCancels.all({ limit }).map(({ taskId }) => taskId);
    },

    delivered: (taskId, what) =>
      writes.run(() => {
        const set = {
          start: { startDelivered: true },
          cancel: { cancelDelivered: true },
          end: { endDelivered: true },
          approval: { approvalDelivered: true },
        }[what];
        db.update(tasks).set(set).where(eq(tasks.id, taskId)).run();
      }),

    deviceCancelDelivered: (updateId) =>
      writes.run(() => {
        db.update(deviceUpdates).set({ cancelDelivered: true }).where(eq(deviceUpdates.id, updateId)).run();
      }),
  };
}

/** Asked in every round of the reconciler. */
function undeliveredStatements({ db }: Connection) {
  const some = () => db.select(UNDELIVERED).from(tasks).innerJoin(firmware, eq(firmware.id, tasks.firmwareId));
  // One without a run can't be told yet; it would keep its place before others for ever.
  const isUntold = sql`${deviceUpdates.cancelRequestedAtMs} IS NOT NULL AND ${deviceUpdates.cancelDelivered} = 0
    AND ${deviceUpdates.begunAtMs} IS NOT NULL AND ${deviceUpdates.runId} IS NOT NULL
    AND ${deviceUpdates.status} IN ('pending', 'notified', 'upgrading')`;
  const taskOfCancel = { taskId: deviceUpdates.taskId };
  return {
    tasks: prepared(
      UNDELIVERED,
      some().where(HAS_UNDELIVERED).orderBy(asc(tasks.createdAtMs)).limit(sql.placeholder('limit')),
    ),
    task: prepared(UNDELIVERED, some().where(and(eq(tasks.id, sql.placeholder('taskId')), HAS_UNDELIVERED))),
    // `+`: by the index of what is untold, not through a whole batch.
    cancelsOf: prepared(
      DEVICE_UPDATE,
      db
        .select(DEVICE_UPDATE)
        .from(deviceUpdates)
        .where(and(isUntold, sql`+${deviceUpdates.taskId} = ${sql.placeholder('taskId')}`))
        .limit(sql.placeholder('limit')),
    ),
    tasksOfCancels: prepared(
      taskOfCancel,
      db
        .select(taskOfCancel)
        .from(deviceUpdates)
        .where(isUntold)
        .groupBy(sql`+${deviceUpdates.taskId}`)
        .limit(sql.placeholder('limit')),
    ),
  };
}

type UndeliveredRow = ReturnType<ReturnType<typeof undeliveredStatements>['tasks']['all']>[number];

function undeliveredOf({ task, firmware: used, told }: UndeliveredRow): Undelivered {
  return {
    task: taskOf(task, used),
    start: !told.startDelivered,
    cancel: task.cancelRequestedAtMs !== null && !told.cancelDelivered,
    end: task.endRequestedAtMs !== null && !told.endDelivered,
    approval: told.approvalDelivered ? null : task.approval,
  };
}

const reachedNobody = (taskId: string): FerryError =>
  new FerryError(
    'verification-reached-nobody',
    `Verification ${taskId} has reached no device yet: none was notified, none runs the firmware. It would verify what nobody has tried. Wait until a device is notified, or cancel the task.`,
  );

function requireUndecided(task: TaskRecord): void {
  const { id, status, needsApproval, approval, cancelRequestedAtMs } = task;
  if (awaitsApproval(task, cancelRequestedAtMs)) return;
  const why = !needsApproval
    ? 'needs no approval'
    : approval !== null
      ? `was ${approval.decision} by ${approval.by}`
      : `is ${isTaskOpen(status) ? 'being cancelled' : status}`;
  throw new FerryError('task-not-awaiting-approval', `Task ${id} ${why}; there is nothing to decide.`);
}
