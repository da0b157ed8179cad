import { and, asc, desc, eq, getTableColumns, gt, inArray, isNotNull, isNull, sql, type SQL } from 'drizzle-orm';
import { isOpen, progressed, type DeviceUpdateState } from '../../domain/device-update.js';
import { notFound } from '../../domain/errors.js';
import type { DeviceKey } from '../../domain/ids.js';
import { wholePolicy } from '../../domain/policy.js';
import { countOf } from '../../domain/update-task.js';
import type {
  DeviceUpdateFilter,
  DeviceUpdateRecord,
  OpenDeviceUpdate,
  Page,
  PageRequest,
  Records,
} from '../records.js';
import type { Connection } from './connection.js';
import { firmwareReader } from './firmware.js';
import { pageOf, readCursor } from './paging.js';
import { deviceUpdateOf, type DeviceUpdateRow } from './rows.js';
import { deviceUpdates, devices, firmware, tasks } from './schema.js';
import type { WriteContext } from './write-queue.js';

type DeviceUpdateRecords = Pick<
  Records,
  | 'progressReported'
  | 'failureReported'
  | 'unsignalledFailures'
  | 'openDeviceUpdate'
  | 'signalled'
  | 'pendingOnlineUpdates'
  | 'listDeviceUpdates'
  | 'getDeviceUpdate'
  | 'getDeviceUpdateById'
  | 'listDeviceHistory'
  | 'countFailuresByCause'
  | 'loadShard'
  | 'recordDeviceUpdate'
>;

const OPEN = ['pending', 'notified', 'upgrading'] as const;
/** As in the partial index: written out, or SQLite doesn't see that the index serves. */
const IS_OPEN_AND_BEGUN = sql`${deviceUpdates.status} IN ('pending', 'notified', 'upgrading') AND ${deviceUpdates.begunAtMs} IS NOT NULL`;

/** Its task is not being forgotten. At most one is at a time: the list is read once a statement, from its index. */
export const IS_SEEN = sql`${deviceUpdates.taskId} NOT IN (SELECT id FROM tasks WHERE forgotten_at_ms IS NOT NULL)`;

/** Columns of a device update's state: exactly the domain's facts. */
const stateOf = (row: DeviceUpdateState): DeviceUpdateState => ({
  status: row.status,
  outcome: row.outcome,
  step: row.step,
  cause: row.cause,
  detail: row.detail,
  begunAtMs: row.begunAtMs,
  notifiedAtMs: row.notifiedAtMs,
  notifications: row.notifications,
  silences: row.silences,
  startedAtMs: row.startedAtMs,
  lastProgressAtMs: row.lastProgressAtMs,
  hundredAtMs: row.hundredAtMs,
  targetReportedAtMs: row.targetReportedAtMs,
  endedAtMs: row.endedAtMs,
});

export function deviceUpdateRecords(connection: Connection): DeviceUpdateRecords {
  const { db, writes } = connection;
  const find = deviceUpdateFinder(connection);
  const store = deviceUpdateStore(connection);
  const told = toldStatements(connection);

  return {
    progressReported: (key, { module, step, atMs }) =>
      writes.run((context) => {
        const row = find.openRow(key, module);
        if (row === undefined || row.notifiedAtMs === null) return undefined;
        store(row, progressed(row, step, atMs), context);
        return find.byId(row.id);
      }),

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

    async pendingOnlineUpdates(limit) {
      const rows = db
        .select({ id: deviceUpdates.id })
        .from(devices)
        .innerJoin(
          deviceUpdates,
          and(eq(deviceUpdates.productKey, devices.productKey), eq(deviceUpdates.deviceName, devices.deviceName)),
        )
        .where(and(eq(devices.online, true), IS_OPEN_AND_BEGUN, eq(deviceUpdates.status, 'pending')))
        .orderBy(asc(sql`coalesce(${deviceUpdates.onlineSignalledAtMs}, 0)`))
        .limit(limit)
        .all();
      return rows.map(({ id }) => find.byId(id)).filter((update) => update !== undefined);
    },

    listDeviceUpdates: async (taskId, filter, page) => listDeviceUpdates(connection, taskId, filter, page),

    async getDeviceUpdate(taskId, deviceName) {
      const row = find.row(taskId, deviceName);
      return row && deviceUpdateOf(row);
    },

    getDeviceUpdateById: async (id) => find.byId(id),

    async listDeviceHistory(key, page) {
      const cursor = readCursor(page.cursor, ['number']);
      const rows = db
        .select()
        .from(deviceUpdates)
        .where(
          and(
            eq(deviceUpdates.productKey, key.productKey),
            eq(deviceUpdates.deviceName, key.deviceName),
            IS_SEEN,
            cursor && sql`${deviceUpdates.id} < ${cursor[0]}`,
          ),
        )
        .orderBy(desc(deviceUpdates.id))
        .limit(page.limit + 1)
        .all();
      return pageOf(rows, page, { key: ({ id }) => [id], item: deviceUpdateOf });
    },

    async countFailuresByCause(taskId) {
      const rows = db
        .select({ cause: deviceUpdates.cause, count: sql<number>`count(*)` })
        .from(deviceUpdates)
        .where(and(eq(deviceUpdates.taskId, taskId), isNotNull(deviceUpdates.cause)))
        .groupBy(deviceUpdates.cause)
        .all();
      return Object.fromEntries(rows.map(({ cause, count }) => [cause ?? '', count]));
    },

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
        const row = find.row(taskId, key.deviceName);
        if (row === undefined) throw notFound(`The device update of ${key.deviceName} in task ${taskId}`);
        if (!isOpen(row.status)) return deviceUpdateOf(row);
        store(row, merged(row, state), context, runId);
        return deviceUpdateOf(find.row(taskId, key.deviceName) ?? row);
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
    online: note({
      onlineSignals: sql`${deviceUpdates.onlineSignals} + 1`,
      onlineSignalledAtMs: sql`${sql.placeholder('atMs')}`,
    }),
  };
}

/**
 * The run's state over what the gateway has recorded: the run may lag behind the reports, never the other way round.
 */
function merged(row: DeviceUpdateRow, state: DeviceUpdateState): DeviceUpdateState {
  const lags = isOpen(state.status) && row.status === 'upgrading';
  return {
    ...stateOf(state),
    status: lags ? 'upgrading' : state.status,
    step: largest(row.step, state.step),
    begunAtMs: row.begunAtMs ?? state.begunAtMs,
    notifiedAtMs: lags ? largest(row.notifiedAtMs, state.notifiedAtMs) : state.notifiedAtMs,
    startedAtMs: smallest(row.startedAtMs, state.startedAtMs),
    lastProgressAtMs: largest(row.lastProgressAtMs, state.lastProgressAtMs),
    hundredAtMs: smallest(row.hundredAtMs, state.hundredAtMs),
    targetReportedAtMs: smallest(row.targetReportedAtMs, state.targetReportedAtMs),
  };
}

const largest = (a: number | null, b: number | null) => (a === null ? b : b === null ? a : Math.max(a, b));
const smallest = (a: number | null, b: number | null) => (a === null ? b : b === null ? a : Math.min(a, b));

/** Writes a device update's new state and moves its task's counts with it. Runs within a write. */
export function deviceUpdateStore({ db, sqlite }: Connection) {
  const moveCount = (from: string, to: string) =>
    sqlite.prepare<[number, string]>(
      `UPDATE tasks SET ${from} = ${from} - 1, ${to} = ${to} + 1, change = ? WHERE id = ?`,
    );
  const moves = new Map<string, ReturnType<typeof moveCount>>();
  const given = (name: string) => sql`${sql.placeholder(name)}`;
  const update = db
    .update(deviceUpdates)
    .set({
      status: given('status'),
      outcome: given('outcome'),
      step: given('step'),
      cause: given('cause'),
      detail: given('detail'),
      begunAtMs: given('begunAtMs'),
      notifiedAtMs: given('notifiedAtMs'),
      notifications: given('notifications'),
      silences: given('silences'),
      startedAtMs: given('startedAtMs'),
      lastProgressAtMs: given('lastProgressAtMs'),
      hundredAtMs: given('hundredAtMs'),
      targetReportedAtMs: given('targetReportedAtMs'),
      endedAtMs: given('endedAtMs'),
      runId: given('runId'),
      change: given('change'),
    } satisfies Record<keyof DeviceUpdateState | 'runId' | 'change', SQL>)
    .where(eq(deviceUpdates.id, sql.placeholder('id')))
    .prepare();

  return (
    row: DeviceUpdateRow,
    state: DeviceUpdateState,
    { nextChange, touched }: WriteContext,
    runId: string | null = row.runId,
  ): void => {
    update.run({ ...stateOf(state), runId: runId ?? row.runId, change: nextChange(), id: row.id });
    touched(row.taskId);
    const [from, to] = [countOf(row.status, row.outcome), countOf(state.status, state.outcome)];
    if (from === to) return;
    const move = moves.get(`${from}>${to}`) ?? moveCount(from, to);
    moves.set(`${from}>${to}`, move);
    move.run(nextChange(), row.taskId);
  };
}

/** Look-ups of single device updates, prepared: they are on the way of every report. */
export function deviceUpdateFinder({ db }: Pick<Connection, 'db'>) {
  const columns = getTableColumns(deviceUpdates);
  const byPlace = db
    .select(columns)
    .from(deviceUpdates)
    .where(
      and(
        eq(deviceUpdates.taskId, sql.placeholder('taskId')),
        eq(deviceUpdates.deviceName, sql.placeholder('deviceName')),
      ),
    )
    .prepare();
  const openOf = db
    .select(columns)
    .from(deviceUpdates)
    .where(
      and(
        eq(deviceUpdates.productKey, sql.placeholder('productKey')),
        eq(deviceUpdates.deviceName, sql.placeholder('deviceName')),
        IS_OPEN_AND_BEGUN,
      ),
    )
    .prepare();
  const whole = db
    .select({ update: columns, task: getTableColumns(tasks), firmware: getTableColumns(firmware) })
    .from(deviceUpdates)
    .innerJoin(tasks, eq(tasks.id, deviceUpdates.taskId))
    .innerJoin(firmware, eq(firmware.id, tasks.firmwareId))
    .where(eq(deviceUpdates.id, sql.placeholder('id')))
    .prepare();

  const firmwareOf = firmwareReader({ db });
  const row = (taskId: string, deviceName: string): DeviceUpdateRow | undefined => byPlace.get({ taskId, deviceName });
  const openRow = ({ productKey, deviceName }: DeviceKey, module: string | null): DeviceUpdateRow | undefined =>
    openOf.all({ productKey, deviceName }).find((update) => module === null || update.module === module);
  const byId = (id: number): OpenDeviceUpdate | undefined => {
    const found = whole.get({ id });
    if (!found) return undefined;
    const { update, task } = found;
    return {
      record: deviceUpdateOf(update),
      firmware: firmwareOf(found.firmware),
      policy: wholePolicy(task.policy),
      kind: task.kind,
      sourceVersions: task.sourceVersions,
      progressSignalled: update.progressSignalled,
      hundredSignalled: update.hundredSignalled,
      failureSignalled: update.failureSignalled,
      reportedFailure: update.reportedFailure,
      onlineSignals: update.onlineSignals,
      onlineSignalledAtMs: update.onlineSignalledAtMs,
    };
  };
  const open = (key: DeviceKey, module: string | null): OpenDeviceUpdate | undefined => {
    const found = openRow(key, module);
    return found && byId(found.id);
  };
  return { row, openRow, byId, open };
}

function listDeviceUpdates(
  { db }: Connection,
  taskId: string,
  filter: DeviceUpdateFilter,
  page: PageRequest,
): Page<DeviceUpdateRecord> {
  const cursor = readCursor(page.cursor, ['number']);
  const conditions: (SQL | undefined)[] = [
    eq(deviceUpdates.taskId, taskId),
    filter.status && eq(deviceUpdates.status, filter.status),
    filter.outcome && eq(deviceUpdates.outcome, filter.outcome),
    filter.cause && eq(deviceUpdates.cause, filter.cause),
    filter.search ? sql`instr(${deviceUpdates.deviceName}, ${filter.search}) > 0` : undefined,
    cursor && gt(deviceUpdates.ordinal, Number(cursor[0])),
  ];
  const rows = db
    .select()
    .from(deviceUpdates)
    .where(and(...conditions))
    .orderBy(asc(deviceUpdates.ordinal))
    .limit(page.limit + 1)
    .all();
  return pageOf(rows, page, { key: ({ ordinal }) => [ordinal], item: deviceUpdateOf });
}

/** Device updates of a task that never began. */
export const neverBegun = (taskId: string): SQL | undefined =>
  and(eq(deviceUpdates.taskId, taskId), eq(deviceUpdates.status, 'pending'), isNull(deviceUpdates.begunAtMs));
