import { and, asc, eq, inArray, isNull, sql, type SQL } from 'drizzle-orm';
import { isOpen, progressed, type DeviceUpdateState } from '../../domain/device-update.js';
import { notFound } from '../../domain/errors.js';
import type { DeviceKey } from '../../domain/ids.js';
import { offerOf } from '../../domain/offer.js';
import type { Records } from '../records.js';
import type { Connection } from './connection.js';
import { deviceUpdateLists } from './device-update-lists.js';
import { deviceUpdateFinder, deviceUpdateStore, midUpdateProgress, stateOf } from './device-update-rows.js';
import { onlineWaits } from './online-waits.js';
import { deviceUpdateOf, type DeviceUpdateRow } from './rows.js';
import { deviceUpdates } from './schema.js';

type DeviceUpdateRecords = Pick<
  Records,
  | 'progressReported'
  | 'failureReported'
  | 'unsignalledFailures'
  | 'untoldProgress'
  | 'openDeviceUpdate'
  | 'signalled'
  | 'pendingOnlineUpdates'
  | 'listDeviceUpdates'
  | 'getDeviceUpdate'
  | 'getDeviceUpdateById'
  | 'wholeDeviceUpdate'
  | 'listDeviceHistory'
  | 'countFailuresByCause'
  | 'loadShard'
  | 'recordDeviceUpdate'
  | 'giveOut'
  | 'takeBack'
>;

const OPEN = ['pending', 'notified', 'upgrading'] as const;
/** By the partial index of what the engine was not told yet. */
const UNTOLD_PROGRESS = `SELECT id FROM device_updates
  WHERE status = 'upgrading' AND (progress_signalled = 0 OR (hundred_at_ms IS NOT NULL AND hundred_signalled = 0))
    AND ((progress_signalled = 0 AND started_at_ms <= ?) OR (hundred_signalled = 0 AND hundred_at_ms <= ?))
  LIMIT ?`;

export function deviceUpdateRecords(connection: Connection): DeviceUpdateRecords {
  const { db, sqlite, writes } = connection;
  const find = deviceUpdateFinder(connection);
  const store = deviceUpdateStore(connection);
  const progressMidUpdate = midUpdateProgress(connection);
  const told = toldStatements(connection);
  const anyProgress: Records['progressReported'] = (key, { module, step, atMs }) =>
    writes.run((context) => {
      const row = find.openRow(key, module);
      if (row === undefined || row.notifiedAtMs === null) return false;
      store(row, progressed(row, step, atMs), context);
      return true;
    });
  const existing = (taskId: string, { deviceName }: DeviceKey): DeviceUpdateRow => {
    const row = find.row(taskId, deviceName);
    if (row === undefined) throw notFound(`The device update of ${deviceName} in task ${taskId}`);
    return row;
  };
  const untold = sqlite.prepare<[number, number, number], number>(UNTOLD_PROGRESS).pluck();
  const waitsOnline = onlineWaits(connection, find);

  return {
    progressReported: (key, report) =>
      writes
        .runStatement((context) => progressMidUpdate(key, report, context))
        .then((isWritten) => isWritten || anyProgress(key, report)),

    async untoldProgress({ startedBeforeMs, hundredBeforeMs }, limit) {
      return untold.all(startedBeforeMs, hundredBeforeMs, limit).flatMap((id) => find.byId(id) ?? []);
    },

    failureReported: (key, { module, cause, description, atMs }) =>
      writes.run(() => {
        const row = find.openRow(key, module);
        if (row === undefined || row.notifiedAtMs === null) return undefined;
        const reportedFailure = row.reportedFailure ?? { cause, description, atMs };
        db.update(deviceUpdates).set({ reportedFailure }).where(eq(deviceUpdates.id, row.id)).run();
        return find.byId(row.id);
      }),

    async unsignalledFailures(limit) {
      const rows = db
        .select({ id: deviceUpdates.id })
        .from(deviceUpdates)
        .where(
          sql`${deviceUpdates.reportedFailure} IS NOT NULL AND ${deviceUpdates.failureSignalled} = 0
            AND ${deviceUpdates.status} IN ('pending', 'notified', 'upgrading')`,
        )
        .limit(limit)
        .all();
      return rows.map(({ id }) => find.byId(id)).filter((update) => update !== undefined);
    },

    openDeviceUpdate: async (key, module) => find.open(key, module),

    signalled: (updateId, what, atMs) =>
      writes.run(() => {
        told[what].run({ id: updateId, atMs });
      }),

    pendingOnlineUpdates: async (limit) => waitsOnline(limit),
    ...deviceUpdateLists(connection),

    async getDeviceUpdate(taskId, deviceName) {
      const row = find.row(taskId, deviceName);
      return row && deviceUpdateOf(row);
    },

    getDeviceUpdateById: async (id) => find.byId(id),
    wholeDeviceUpdate: async (taskId, deviceName) => find.byPlace(taskId, deviceName),

    async loadShard(taskId, fromOrdinal, toOrdinal) {
      return db
        .select()
        .from(deviceUpdates)
        .where(
          and(
            eq(deviceUpdates.taskId, taskId),
            sql`${deviceUpdates.ordinal} >= ${fromOrdinal} AND ${deviceUpdates.ordinal} < ${toOrdinal}`,
            inArray(deviceUpdates.status, [...OPEN]),
          ),
        )
        .orderBy(asc(deviceUpdates.ordinal))
        .all()
        .map(deviceUpdateOf);
    },

    recordDeviceUpdate: (taskId, key, state, runId) =>
      writes.run((context) => {
        const row = existing(taskId, key);
        if (!isOpen(row.status)) return deviceUpdateOf(row);
        return deviceUpdateOf(store(row, merged(row, state), context, runId));
      }),

    giveOut: (taskId, key, state, runId) =>
      writes.run((context) => {
        const row = existing(taskId, key);
        const update = find.byId(row.id);
        const offer = update ? offerOf(update) : ({ kind: 'cancelled' } as const);
        if (offer.kind === 'given') store(row, merged(row, state), context, runId);
        return offer;
      }),

    takeBack: (taskId, key, { state, runId, notifiedAtMs }) =>
      writes.run((context) => {
        const row = existing(taskId, key);
        if (!isOpen(row.status)) return deviceUpdateOf(row);
        const isMine = row.status !== 'upgrading' && row.notifiedAtMs === notifiedAtMs;
        const before = isMine
          ? { ...row, status: state.status, notifiedAtMs: state.notifiedAtMs, notifications: state.notifications }
          : row;
        return deviceUpdateOf(store(row, merged(before, state), context, runId));
      }),
  };
}

/** Notes that the engine was told, by what; prepared. */
function toldStatements({ db }: Connection) {
  const note = (set: Partial<DeviceUpdateRow> | { onlineSignals: SQL; onlineSignalledAtMs: SQL }) =>
    db
      .update(deviceUpdates)
      .set(set)
      .where(eq(deviceUpdates.id, sql.placeholder('id')))
      .prepare();
  return {
    progress: note({ progressSignalled: true }),
    hundred: note({ progressSignalled: true, hundredSignalled: true }),
    failure: note({ failureSignalled: true }),
    target: note({ targetSignalled: true }),
    online: note({
      onlineSignals: sql`${deviceUpdates.onlineSignals} + 1`,
      onlineSignalledAtMs: sql`${sql.placeholder('atMs')}`,
    }),
  };
}

/**
 * The run's state over what the gateway has recorded: the run may lag behind the reports and the answered queries, never
 * the other way round.
 */
function merged(row: DeviceUpdateRow, state: DeviceUpdateState): DeviceUpdateState {
  const isAhead =
    row.status === 'upgrading' ||
    row.targetReportedAtMs !== null ||
    (row.status === 'notified' && (row.notifiedAtMs ?? 0) > (state.notifiedAtMs ?? -Infinity));
  const lags = isOpen(state.status) && isAhead;
  return {
    ...stateOf(state),
    status: lags ? row.status : state.status,
    step: largest(row.step, state.step),
    begunAtMs: row.begunAtMs ?? state.begunAtMs,
    notifiedAtMs: largest(row.notifiedAtMs, state.notifiedAtMs),
    notifications: Math.max(row.notifications, state.notifications),
    startedAtMs: smallest(row.startedAtMs, state.startedAtMs),
    lastProgressAtMs: largest(row.lastProgressAtMs, state.lastProgressAtMs),
    hundredAtMs: smallest(row.hundredAtMs, state.hundredAtMs),
    targetReportedAtMs: smallest(row.targetReportedAtMs, state.targetReportedAtMs),
  };
}

const largest = (a: number | null, b: number | null) => (a === null ? b : b === null ? a : Math.max(a, b));
const smallest = (a: number | null, b: number | null) => (a === null ? b : b === null ? a : Math.min(a, b));

/** Device updates of a task that never began. */
export const neverBegun = (taskId: string): SQL | undefined =>
  and(eq(deviceUpdates.taskId, taskId), eq(deviceUpdates.status, 'pending'), isNull(deviceUpdates.begunAtMs));
