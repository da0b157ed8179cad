import { and, count, desc, eq, isNull, sql } from 'drizzle-orm';
import { FerryError, invalidField, notFound } from '../../domain/errors.js';
import { VERIFICATION_DEVICES_MAX } from '../../domain/policy.js';
import { isTaskOpen } from '../../domain/update-task.js';
import { isNewer } from '../../domain/versions.js';
import type { Created, NewTask, Product, Records, TaskRecord } from '../records.js';
import { claimVersions, releaseClaims } from './claims.js';
import type { Connection } from './connection.js';
import { neverBegun } from './device-updates.js';
import { requireSigned } from './firmware.js';
import { createOnceInParts } from './idempotency.js';
import { writeInParts, type LongWriteContext } from './long-writes.js';
import { behind, boundPage, PAGE_LIMIT, pageOf, readCursor } from './paging.js';
import { prepared, preparedByShape } from './prepared.js';
import { requireProduct } from './products.js';
import { hasReachedADevice } from './reached.js';
import { TASK, taskOf, type FirmwareRow } from './rows.js';
import { deviceUpdates, firmware, tasks } from './schema.js';
import {
  downgrade,
  insertFailed,
  insertListed,
  insertNamedFailed,
  insertRunning,
  requireFailed,
  requireFailedOf,
  requireListedInTurns,
} from './targets.js';
import { noteVerification } from './verification-results.js';
import type { WriteContext } from './write-queue.js';

type TaskRecords = Pick<Records, 'createTask' | 'reinitiateTask' | 'getTask' | 'listTasks' | 'taskBegun' | 'taskEnded'>;

export function taskRecords(connection: Connection): TaskRecords {
  const { db, writes } = connection;
  const { find, existing } = taskFinder(connection);
  const list = taskList(connection);

  return {
    async createTask(task) {
      const refusal = await refusalOfList(connection, task);
      return writeInParts(connection, (context) => createTask({ task, refusal }, context));
    },

    reinitiateTask: (request) => writeInParts(connection, (context) => reinitiateTask(request, context)),

    getTask: async (id) => find(id),

    async listTasks(filter, page) {
      const { firmwareId, productKey, kind, status } = filter;
      const cursor = readCursor(page.cursor, ['number', 'string']);
      const rows = list.all({ firmwareId, productKey, kind, status, ...boundPage(cursor, page) });
      return pageOf(rows, page, {
        key: ({ task }) => [task.createdAtMs, task.id],
        item: (row) => taskOf(row.task, row.firmware),
      });
    },

    taskBegun: (id, runId, atMs) =>
      writes.run(({ nextChange, touched }) => {
        const task = existing(id);
        if (!isTaskOpen(task.status)) return task;
        db.update(tasks)
          .set({
            ...(isBegun(task) ? {} : { status: mayRun(task) ? 'running' : 'awaiting-approval' }),
            runId,
            startedAtMs: task.startedAtMs ?? atMs,
            startDelivered: true,
            change: nextChange(),
          })
          .where(eq(tasks.id, id))
          .run();
        touched(id);
        return existing(id);
      }),

    taskEnded: (id, status, atMs) =>
      writes.run((context) => {
        const task = existing(id);
        if (!isTaskOpen(task.status)) return task;
        cancelUnbegun(connection, task, atMs, context);
        releaseClaims(connection, id, atMs);
        db.update(tasks)
          .set({ status, endedAtMs: atMs, pausedCause: null, pausedAtMs: null, change: context.nextChange() })
          .where(eq(tasks.id, id))
          .run();
        if (task.kind === 'verification' && status === 'completed' && hasReachedADevice(connection, id)) {
          // Once verified, always verified, whatever the results: but of devices that had a part in it.
          db.update(firmware)
            .set({ verifiedAtMs: sql`coalesce(${firmware.verifiedAtMs}, ${atMs})` })
            .where(eq(firmware.id, task.firmware.id))
            .run();
          noteVerification(connection, existing(id));
        }
        context.touched(id);
        return existing(id);
      }),
  };
}

const isBegun = ({ status }: TaskRecord): boolean => status === 'running' || status === 'paused';
const mayRun = ({ needsApproval, approval }: TaskRecord): boolean =>
  !needsApproval || approval?.decision === 'approved';

const taskList = ({ db }: Connection) =>
  preparedByShape(TASK, (given) =>
    db
      .select(TASK)
      .from(tasks)
      .innerJoin(firmware, eq(firmware.id, tasks.firmwareId))
      .where(
        and(
          given('firmwareId', (firmwareId) => eq(tasks.firmwareId, firmwareId)),
          given('productKey', (productKey) => eq(tasks.productKey, productKey)),
          given('kind', (kind) => eq(tasks.kind, kind)),
          given('status', (status) => eq(tasks.status, status)),
          isNull(tasks.forgottenAtMs),
          behind([tasks.createdAtMs, tasks.id], given),
        ),
      )
      .orderBy(desc(tasks.createdAtMs), desc(tasks.id))
      .limit(PAGE_LIMIT),
  );

export function taskFinder({ db }: Pick<Connection, 'db'>) {
  const byId = prepared(
    TASK,
    db
      .select(TASK)
      .from(tasks)
      .innerJoin(firmware, eq(firmware.id, tasks.firmwareId))
      .where(and(eq(tasks.id, sql.placeholder('id')), isNull(tasks.forgottenAtMs))),
  );
  const find = (id: string): TaskRecord | undefined => {
    const row = byId.first({ id });
    return row && taskOf(row.task, row.firmware);
  };
  const existing = (id: string): TaskRecord => {
    const found = find(id);
    if (!found) throw notFound(`Task ${id}`);
    return found;
  };
  return { find, existing };
}

/** What every task row is made from. */
export type TaskDraft = Pick<
  NewTask,
  'id' | 'kind' | 'firmwareId' | 'sourceVersions' | 'policy' | 'createdAtMs' | 'startedBy' | 'devicesMax'
> & {
  readonly reinitiates?: string;
};

/** Of longer lists, most refusals are found before the write, which would hold up all others. */
const LONG_LIST = 5_000;

/** Why the listed devices can't take part, if they can't; a repeated request is answered all the same. */
async function refusalOfList(connection: Connection, task: NewTask): Promise<FerryError | undefined> {
  if ((task.deviceNames?.length ?? 0) < LONG_LIST) return undefined;
  const row = connection.db.select().from(firmware).where(eq(firmware.id, task.firmwareId)).get();
  if (!row) return undefined;
  try {
    await requireListedInTurns(connection, { task, firmware: row });
    return undefined;
  } catch (error) {
    if (error instanceof FerryError) return error;
    throw error;
  }
}

interface Creating {
  readonly task: NewTask;
  readonly refusal: FerryError | undefined;
}

function createTask({ task, refusal }: Creating, context: LongWriteContext): Promise<Created<TaskRecord>> {
  const { connection } = context;
  return createOnceInParts(connection, {
    idempotency: task.idempotency,
    atMs: task.createdAtMs,
    read: taskFinder(connection).existing,
    create: async () => {
      const row = requireUsable(connection, task);
      const targeting = { task, firmware: row };
      insertTask(connection, task, row, context);
      if (refusal) throw refusal;
      if (task.deviceNames === null) await insertRunning(targeting, context);
      else await insertListed(targeting, context);
      return finish(connection, task);
    },
  });
}

type Reinitiation = Parameters<Records['reinitiateTask']>[0];

function reinitiateTask(request: Reinitiation, context: LongWriteContext): Promise<Created<TaskRecord>> {
  const { id, reinitiates, deviceNames, createdAtMs, startedBy, approvalAbove, idempotency } = request;
  const { connection } = context;
  const { existing } = taskFinder(connection);
  return createOnceInParts(connection, {
    idempotency,
    atMs: createdAtMs,
    read: existing,
    create: async () => {
      const { kind, firmware: used, sourceVersions, policy, status } = existing(reinitiates);
      if (isTaskOpen(status)) {
        throw new FerryError(
          'task-not-ended',
          `Task ${reinitiates} is ${status}; only an ended task can be re-initiated.`,
        );
      }
      requireFailed(connection, reinitiates);
      if (deviceNames) await requireFailedOf(context, reinitiates, deviceNames);
      const task = { id, kind, firmwareId: used.id, sourceVersions, policy, createdAtMs, startedBy, reinitiates };
      const row = requireUsable(connection, task);
      insertTask(connection, task, row, context);
      const targeting = { task, firmware: row, of: reinitiates };
      if (deviceNames) await insertNamedFailed({ ...targeting, deviceNames }, context);
      else await insertFailed(targeting, context);
      return finish(connection, { id, kind, approvalAbove });
    },
  });
}

/** The firmware, if this task may use it and its numbers are right. */
export function requireUsable(
  connection: Connection,
  task: TaskDraft & { readonly deviceNames?: readonly string[] | null },
): FirmwareRow {
  const row = connection.db.select().from(firmware).where(eq(firmware.id, task.firmwareId)).get();
  if (!row) throw notFound(`Firmware ${task.firmwareId}`);
  if (row.deletedAtMs !== null) {
    throw new FerryError('firmware-deleted', `Firmware ${row.name} ${row.version} is deleted; add it again to use it.`);
  }
  const product = requireProduct(connection, row.productKey);
  requireSigned(product, row);
  if (task.kind === 'batch') requireBatchable(product, row, task);
  else requireFew(task.deviceNames);
  return row;
}

function requireFew(deviceNames: readonly string[] | null | undefined): void {
  if (deviceNames === undefined) return;
  const count = deviceNames?.length ?? 0;
  if (count >= 1 && count <= VERIFICATION_DEVICES_MAX) return;
  throw invalidField(
    'deviceNames',
    `a verification takes 1 to ${VERIFICATION_DEVICES_MAX} devices; ${count} are named`,
  );
}

function requireBatchable(product: Product, row: FirmwareRow, { sourceVersions, policy }: TaskDraft): void {
  if (row.verifiedAtMs === null) {
    throw new FerryError(
      'firmware-not-verified',
      `Firmware ${row.name} ${row.version} is not verified; validate it on a few devices first.`,
    );
  }
  const { productKey, verificationSuccessesMin: least } = product;
  if (row.verificationSuccesses < least) {
    throw new FerryError(
      'firmware-not-proven',
      `Firmware ${row.name} ${row.version} was verified with success on ${row.verificationSuccesses} device(s); product ${productKey} needs ${least} before a batch. Verify it on more devices first.`,
      { succeeded: row.verificationSuccesses, needed: least },
    );
  }
  if (sourceVersions.length === 0) throw invalidField('sourceVersions', 'must name at least one version');
  if (sourceVersions.includes(row.version)) {
    throw invalidField('sourceVersions', `must not contain the firmware's own version ${row.version}`);
  }
  const newer = sourceVersions.filter((version) => isNewer(version, row.version));
  if (newer.length > 0 && !policy.allowDowngrade) throw downgrade(row, newer.join(', '));
}

function insertTask(
  connection: Connection,
  task: TaskDraft,
  row: FirmwareRow,
  { nextChange, touched }: WriteContext,
): void {
  const { id, kind, firmwareId, policy, createdAtMs } = task;
  const sourceVersions = [...new Set(task.sourceVersions)];
  const { productKey, module } = row;
  connection.db
    .insert(tasks)
    .values({
      ...{ id, kind, firmwareId, productKey, sourceVersions, policy, createdAtMs },
      reinitiates: task.reinitiates ?? null,
      startedBy: task.startedBy ?? null,
      change: nextChange(),
    })
    .run();
  touched(id);
  if (kind === 'batch') claimVersions(connection, { taskId: id, productKey, module, sourceVersions });
}

/** Counts the task's devices, once they are in: so many of them need a second operator. */
function finish(
  { db }: Connection,
  { id, kind, approvalAbove }: Pick<NewTask, 'id' | 'kind' | 'approvalAbove'>,
): string {
  const total = db.select({ count: count() }).from(deviceUpdates).where(eq(deviceUpdates.taskId, id)).get()?.count ?? 0;
  if (total === 0) {
    throw new FerryError(
      'no-target-devices',
      'No device of the product runs one of the source versions; nothing to update.',
    );
  }
  const needsApproval = kind === 'batch' && total > (approvalAbove ?? Infinity);
  db.update(tasks).set({ pending: total, total, needsApproval }).where(eq(tasks.id, id)).run();
  return id;
}

/** Those that are left: of a large task, `endTask` has cancelled them before, piece by piece. */
function cancelUnbegun(
  { db }: Connection,
  { id, counts }: TaskRecord,
  atMs: number,
  { nextChanges }: WriteContext,
): void {
  // A number for each place of the task, so that a stream of changes can stop between any two rows.
  const first = nextChanges(counts.total);
  const { changes } = db
    .update(deviceUpdates)
    .set({
      status: 'cancelled',
      detail: 'The task ended before its turn came.',
      endedAtMs: atMs,
      change: sql`${first} + ${deviceUpdates.ordinal}`,
    })
    .where(neverBegun(id))
    .run();
  db.update(tasks)
    .set({ pending: sql`${tasks.pending} - ${changes}`, cancelled: sql`${tasks.cancelled} + ${changes}` })
    .where(eq(tasks.id, id))
    .run();
}
