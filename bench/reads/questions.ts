import type Database from 'better-sqlite3';
import type { Records } from '../../records/records.js';
import { LARGEST, PRODUCT, type Sizes } from './fill.js';

/** The same question, by the records and by a prepared query in better-sqlite3; each answers the number of its rows. */
export interface Question {
  /** @param n which of the tasks or devices it is about */
  readonly ours: (n: number) => Promise<number>;
  readonly bare: (n: number) => number;
}

const PAGE = 50;
/** The page of the failure list that lies deep. */
const DEEP_PAGE = 5_000;
/** Devices with a history: those that most tasks have. */
const DEVICES_ASKED = 20;

// What the API answers, and no column more.
const TASK = `t.id, t.kind, t.status, t.source_versions, t.policy, t.reinitiates, t.started_by, t.run_id, t.created_at_ms,
  t.started_at_ms, t.ended_at_ms, t.cancel_requested_at_ms, t.end_requested_at_ms, t.paused_cause, t.paused_at_ms,
  t.needs_approval, t.approval, t.pending, t.notified, t.upgrading, t.succeeded, t.failed, t.cancelled, t.total, t.change,
  f.id AS firmware_id, f.name, f.product_key, f.module, f.version FROM tasks t JOIN firmware f ON f.id = t.firmware_id`;
const UPDATE = `id, task_id, ordinal, product_key, device_name, protocol, attempt, status, outcome, step, cause, detail,
  begun_at_ms, notified_at_ms, notifications, silences, started_at_ms, last_progress_at_ms, hundred_at_ms,
  target_reported_at_ms, ended_at_ms, run_id, created_at_ms, cancel_requested_at_ms, change FROM device_updates`;

const rowsOf = ({ items }: { readonly items: readonly unknown[] }) => items.length;

export async function questionsOf(
  records: Records,
  db: Database.Database,
  sizes: Sizes,
): Promise<Record<string, Question>> {
  const deep = await deepPage(records, sizes);
  const ask = (sql: string) => {
    const statement = db.prepare<(string | number)[]>(sql);
    // One row more than the page has, to see whether there is a next one, as the API must.
    return (...bound: (string | number)[]) => Math.min(PAGE, statement.all(...bound).length);
  };
  const page = { limit: PAGE };
  const tasks = ask(`SELECT ${TASK} ORDER BY t.created_at_ms DESC, t.id DESC LIMIT 51`);
  const task = ask(`SELECT ${TASK} WHERE t.id = ?`);
  const causes = ask(`SELECT cause, count FROM failure_counts WHERE task_id = ?`);
  const first = ask(`SELECT ${UPDATE} WHERE task_id = ? AND outcome = 'failed' ORDER BY ordinal LIMIT 51`);
  const behind = ask(
    `SELECT ${UPDATE} WHERE task_id = ? AND outcome = 'failed' AND ordinal > ? ORDER BY ordinal LIMIT 51`,
  );
  const history = ask(`SELECT ${UPDATE} WHERE product_key = ? AND device_name = ? ORDER BY id DESC LIMIT 51`);
  const claims = ask(
    `SELECT c.task_id, c.source_version, f.id, f.name, f.version FROM claims c
     JOIN tasks t ON t.id = c.task_id JOIN firmware f ON f.id = t.firmware_id
     WHERE c.product_key = ? AND c.module = ? AND c.released_at_ms IS NULL`,
  );
  const taskId = (n: number) => `task-${n % sizes.tasks}`;
  const deviceName = (n: number) => `device-${n % DEVICES_ASKED}`;

  return {
    'task list': { ours: async () => rowsOf(await records.listTasks({}, page)), bare: () => tasks() },
    'details with counts': {
      ours: async (n) => {
        const found = await records.getTask(taskId(n));
        const counts = await records.countFailuresByCause(taskId(n));
        return Number(found !== undefined) + Object.keys(counts).length;
      },
      bare: (n) => task(taskId(n)) + causes(taskId(n)),
    },
    'failure list, page 1': {
      ours: async () => rowsOf(await records.listDeviceUpdates(LARGEST, { outcome: 'failed' }, page)),
      bare: () => first(LARGEST),
    },
    [`failure list, page ${deep.number.toLocaleString('en')}`]: {
      ours: async () =>
        rowsOf(await records.listDeviceUpdates(LARGEST, { outcome: 'failed' }, { ...page, cursor: deep.cursor })),
      bare: () => behind(LARGEST, deep.ordinal),
    },
    'device history': {
      ours: async (n) =>
        rowsOf(await records.listDeviceHistory({ productKey: PRODUCT, deviceName: deviceName(n) }, page)),
      bare: (n) => history(PRODUCT, deviceName(n)),
    },
    'conflict check': {
      ours: async () => (await records.listConflicts(PRODUCT, 'default')).flatMap((c) => c.sourceVersions).length,
      bare: () => claims(PRODUCT, 'default'),
    },
  };
}

/** Where page 5,000 begins, or the last page of a smaller list: found as an operator finds it, page after page. */
async function deepPage(records: Records, { largest }: Sizes) {
  const failed = Math.ceil(largest / 2);
  const number = Math.min(DEEP_PAGE, Math.ceil(failed / PAGE));
  let [cursor, ordinal]: [string | undefined, number] = [undefined, -1];
  for (let n = 1; n < number; n++) {
    const found = await records.listDeviceUpdates(LARGEST, { outcome: 'failed' }, { limit: PAGE, cursor });
    [cursor, ordinal] = [found.nextCursor ?? undefined, found.items.at(-1)?.ordinal ?? -1];
  }
  return { number, cursor, ordinal };
}
