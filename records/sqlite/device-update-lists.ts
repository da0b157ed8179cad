import { and, asc, desc, eq, gt, lt, sql } from 'drizzle-orm';
import type { Records } from '../records.js';
import type { Connection } from './connection.js';
import { IS_SEEN } from './device-update-rows.js';
import { boundPage, PAGE_LIMIT, pageOf, readCursor } from './paging.js';
import { prepared, preparedByShape } from './prepared.js';
import { DEVICE_UPDATE, deviceUpdateRecord } from './rows.js';
import { deviceUpdates, failureCounts } from './schema.js';

type DeviceUpdateLists = Pick<Records, 'listDeviceUpdates' | 'listDeviceHistory' | 'countFailuresByCause'>;

/** The failure list among them: pages of a task's devices, and of a device's updates. */
export function deviceUpdateLists(connection: Connection): DeviceUpdateLists {
  const ofTask = taskPages(connection);
  const ofDevice = historyPages(connection);
  const failures = failuresByCause(connection);

  return {
    async listDeviceUpdates(taskId, { status, outcome, cause, search }, page) {
      const cursor = readCursor(page.cursor, ['number']);
      const bound = { taskId, status, outcome, cause, search: search || undefined, ...boundPage(cursor, page) };
      return pageOf(ofTask.all(bound), page, { key: ({ ordinal }) => [ordinal], item: deviceUpdateRecord });
    },

    async listDeviceHistory({ productKey, deviceName }, page) {
      const cursor = readCursor(page.cursor, ['number']);
      const rows = ofDevice.all({ productKey, deviceName, ...boundPage(cursor, page) });
      return pageOf(rows, page, { key: ({ id }) => [id], item: deviceUpdateRecord });
    },

    async countFailuresByCause(taskId) {
      return Object.fromEntries(failures.all({ taskId }).map(({ cause, count }) => [cause, count]));
    },
  };
}

const taskPages = ({ db }: Connection) =>
  preparedByShape(DEVICE_UPDATE, (given) =>
    db
      .select(DEVICE_UPDATE)
      .from(deviceUpdates)
      .where(
        and(
          eq(deviceUpdates.taskId, sql.placeholder('taskId')),
          given('status', (status) => eq(deviceUpdates.status, status)),
          given('outcome', (outcome) => eq(deviceUpdates.outcome, outcome)),
          given('cause', (cause) => eq(deviceUpdates.cause, cause)),
          given('search', (search) => sql`instr(${deviceUpdates.deviceName}, ${search}) > 0`),
          given('cursor', (ordinal) => gt(deviceUpdates.ordinal, ordinal)),
        ),
      )
      .orderBy(asc(deviceUpdates.ordinal))
      .limit(PAGE_LIMIT),
  );

const historyPages = ({ db }: Connection) =>
  preparedByShape(DEVICE_UPDATE, (given) =>
    db
      .select(DEVICE_UPDATE)
      .from(deviceUpdates)
      .where(
        and(
          eq(deviceUpdates.productKey, sql.placeholder('productKey')),
          eq(deviceUpdates.deviceName, sql.placeholder('deviceName')),
          IS_SEEN,
          given('cursor', (id) => lt(deviceUpdates.id, id)),
        ),
      )
      .orderBy(desc(deviceUpdates.id))
      .limit(PAGE_LIMIT),
  );

function failuresByCause({ db }: Connection) {
  const fields = { cause: failureCounts.cause, count: failureCounts.count };
  return prepared(
    fields,
    db
      .select(fields)
      .from(failureCounts)
      .where(and(eq(failureCounts.taskId, sql.placeholder('taskId')), gt(failureCounts.count, 0))),
  );
}
