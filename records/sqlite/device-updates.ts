import { and, asc, desc, eq, inArray, isNull, sql, type SQL } from 'drizzle-orm';
import { downloading, isLateWord, isOpen, progressed, type DeviceUpdateState } from '../../domain/device-update.js';
import { notFound } from '../../domain/errors.js';
import type { DeviceKey } from '../../domain/ids.js';
import { offerOf } from '../../domain/offer.js';
import type { Records } from '../records.js';
import type { Connection } from './connection.js';
import { deviceUpdateLists } from './device-update-lists.js';
import { deviceUpdateFinder, deviceUpdateStore, midUpdateProgress, stateOf } from './device-update-rows.js';
import { onlineWaits } from './online-waits.js';
import { deviceUpdateOf, type DeviceUpdateRow } from './rows.js';
import { deviceUpdates, firmware, tasks } from './schema.js';
import { withNews } from './soak.js';

type DeviceUpdateRecords = Pick<
  Records,
  | 'progressReported'
  | 'failureReported'
  | 'untoldNews'
  | 'untoldProgress'
  | 'openDeviceUpdate'
  | 'signalled'
  | 'downloading'
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
  | 'endUnbegun'
>;

const OPEN = ['pending', 'notified', 'upgrading'] as const;
/** By the partial index of what the engine was not told yet. */
const UNTOLD_PROGRESS = `SELECT id FROM device_updates
  WHERE status = 'upgrading' AND (progress_signalled = 0 OR (hundred_at_ms IS NOT NULL AND hundred_signalled = 0))
    AND ((progress_signalled = 0 AND started_at_ms <= ?) OR (hundred_signalled = 0 AND hundred_at_ms <= ?))
    AND id > ?
  ORDER BY id LIMIT ?`;
/** By the partial index of news, as that is written. */
const UNTOLD_NEWS = `SELECT id FROM device_updates
  WHERE news_at_ms IS NOT NULL AND status IN ('pending', 'notified', 'upgrading') AND (news_at_ms, id) > (?, ?)
  ORDER BY news_at_ms, id LIMIT ?`;

export function deviceUpdateRecords(connection: Connection): DeviceUpdateRecords {
  const { db, sqlite, writes } = connection;
  const find = deviceUpdateFinder(connection);
  const store = deviceUpdateStore(connection);
  const progressMidUpdate = midUpdateProgress(connection);
  const told = toldStatements(connection);
  const anyProgress: Records['progressReported'] = (key, { module, step, atMs }) =>
    writes.run((context) => {
      const row = find.openRow(key, module);
      if (row === undefined || row.notifiedAtMs === null || isLate(row, { module, step, atMs })) return false;
      store(row, progressed(row, step, atMs), context);
      return true;
    });
  const existing = (taskId: string, { deviceName }: DeviceKey): DeviceUpdateRow => {
    const row = find.row(taskId, deviceName);
    if (row === undefined) throw notFound(`The device update of ${deviceName} in task ${taskId}`);
    return row;
  };
  const isLate = lateReports(connection);
  const untold = sqlite.prepare<[number, number, number, number], number>(UNTOLD_PROGRESS).pluck();
  const news = sqlite.prepare<[number, number, number], number>(UNTOLD_NEWS).pluck();
  const waitsOnline = onlineWaits(connection, find);

  return {
    progressReported: (key, report) =>
      writes
        .runStatement((context) => progressMidUpdate(key, report, context))
        .then((isWritten) => isWritten || anyProgress(key, report)),

    async untoldProgress({ startedBeforeMs, hundredBeforeMs }, limit, afterId = 0) {
      return untold.all(startedBeforeMs, hundredBeforeMs, afterId, limit).flatMap((id) => find.byId(id) ?? []);
    },

    failureReported: (key, { module, cause, description, atMs }) =>
      writes.run(() => {
        const row = find.openRow(key, module);
        if (row === undefined || row.notifiedAtMs === null) return undefined;
        if (row.reportedFailure !== null) return find.byId(row.id);
        if (isLate(row, { module, step: 'failure', atMs })) return undefined;
        const reportedFailure = { cause, description, atMs };
        db.update(deviceUpdates)
          .set({ reportedFailure, ...withNews(atMs) })
          .where(eq(deviceUpdates.id, row.id))
          .run();
        return find.byId(row.id);
      }),

    async untoldNews(limit, after = { newsAtMs: Number.MIN_SAFE_INTEGER, id: 0 }) {
      return news.all(after.newsAtMs, after.id, limit).flatMap((id) => find.byId(id) ?? []);
    },

    openDeviceUpdate: async (key, module) => find.open(key, module),

    downloading: (updateId, atMs) =>
      writes.run((context) => {
        const row = find.rowById(updateId);
        if (row !== undefined) store(row, downloading(row, atMs), context);
      }),

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

    endUnbegun: (taskId, key, end) =>
      writes.run((context) => {
        const row = existing(taskId, key);
        if (!isOpen(row.status) || row.begunAtMs !== null) return deviceUpdateOf(row);
        return deviceUpdateOf(store(row, merged(row, end), context, row.runId));
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

/**
 * Tells whether a report is the device's late word on its update before this one; that word is used up then. Runs
 * within a write.
 */
function lateReports({ db }: Connection) {
  const previous = db
    .select()
    .from(deviceUpdates)
    .where(
      and(
        eq(deviceUpdates.productKey, sql.placeholder('productKey')),
        eq(deviceUpdates.deviceName, sql.placeholder('deviceName')),
        sql`${deviceUpdates.id} < ${sql.placeholder('id')} AND ${deviceUpdates.begunAtMs} IS NOT NULL`,
      ),
    )
    .orderBy(desc(deviceUpdates.id))
    .limit(1)
    .prepare();
  const versions = db
    .select({ version: firmware.version })
    .from(tasks)
    .innerJoin(firmware, eq(firmware.id, tasks.firmwareId))
    .where(eq(tasks.id, sql.placeholder('taskId')))
    .prepare();
  const versionOf = ({ taskId }: DeviceUpdateRow) => versions.get({ taskId })?.version;

  return (row: DeviceUpdateRow, report: { module: string | null; step: number | 'failure'; atMs: number }): boolean => {
    if (row.startedAtMs !== null || row.lateReportAtMs !== null) return false;
    const { id, productKey, deviceName } = row;
    const earlier = previous.get({ id, productKey, deviceName });
    if (!earlier || earlier.reportedFailure !== null) return false;
    if (report.module !== null && report.module !== earlier.module) return false;
    if (!isLateWord(earlier, row, { ...report, isSameVersion: versionOf(earlier) === versionOf(row) })) return false;
    const isLastWord = report.step === 'failure' || report.step >= 100;
    if (isLastWord) {
      db.update(deviceUpdates).set({ lateReportAtMs: report.atMs }).where(eq(deviceUpdates.id, id)).run();
    }
    return true;
  };
}

/** Notes that the engine was told, by what; prepared. */
function toldStatements({ db }: Connection) {
  const note = (set: Parameters<ReturnType<typeof db.update<typeof deviceUpdates>>['set']>[0]) =>
    db
      .update(deviceUpdates)
      .set(set)
      .where(eq(deviceUpdates.id, sql.placeholder('id')))
      .prepare();
  return {
    progress: note({ progressSignalled: true }),
    hundred: note({ progressSignalled: true, hundredSignalled: true }),
    failure: note({
      failureSignalled: true,
      newsAtMs: sql`CASE WHEN target_heard_at_ms IS NOT NULL AND target_signalled = 0 THEN news_at_ms END`,
    }),
    target: note({
      targetSignalled: true,
      newsAtMs: sql`CASE WHEN reported_failure IS NOT NULL AND failure_signalled = 0 THEN news_at_ms END`,
    }),
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
    // The gateway's alone where it has one: a time by the run's clock would hide that a later report has come.
    lastProgressAtMs: row.lastProgressAtMs ?? state.lastProgressAtMs,
    hundredAtMs: smallest(row.hundredAtMs, state.hundredAtMs),
    lastDownloadAtMs: row.lastDownloadAtMs ?? state.lastDownloadAtMs,
    awaySinceMs: largest(row.awaySinceMs, state.awaySinceMs),
    backAtMs: largest(row.backAtMs, state.backAtMs),
    targetReportedAtMs: smallest(row.targetReportedAtMs, state.targetReportedAtMs),
  };
}

const largest = (a: number | null, b: number | null) => (a === null ? b : b === null ? a : Math.max(a, b));
const smallest = (a: number | null, b: number | null) => (a === null ? b : b === null ? a : Math.min(a, b));

/** Device updates of a task that never began. */
export const neverBegun = (taskId: string): SQL | undefined =>
  and(eq(deviceUpdates.taskId, taskId), eq(deviceUpdates.status, 'pending'), isNull(deviceUpdates.begunAtMs));
