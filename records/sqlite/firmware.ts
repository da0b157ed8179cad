import { and, count, desc, eq, getTableColumns, isNull, sql } from 'drizzle-orm';
import { FerryError, notFound, trustUndecided } from '../../domain/errors.js';
import type { FirmwareStatus } from '../../domain/update-task.js';
import type { Firmware, NewFirmware, Product, Records } from '../records.js';
import { quotaExceeded } from '../../domain/policy.js';
import { isUniqueViolation, type Connection } from './connection.js';
import { createOnce } from './idempotency.js';
import { behind, boundPage, PAGE_LIMIT, pageOf, readCursor } from './paging.js';
import { prepared, preparedByShape } from './prepared.js';
import { requireProduct } from './products.js';
import type { FirmwareRow } from './rows.js';
import { firmware, tasks } from './schema.js';
import { verificationReader } from './verification-results.js';

type FirmwareRecords = Pick<
  Records,
  'addFirmware' | 'getFirmware' | 'listFirmware' | 'countFirmware' | 'deleteFirmware'
>;

const COLUMNS = getTableColumns(firmware);
const IS_OPEN_TASK = sql`${tasks.endedAtMs} IS NULL`;

export function firmwareRecords(connection: Connection): FirmwareRecords {
  const { db, writes } = connection;
  const read = firmwareReader(connection);
  const byId = prepared(
    COLUMNS,
    db
      .select()
      .from(firmware)
      .where(eq(firmware.id, sql.placeholder('id'))),
  );
  const list = firmwareList(connection);
  const get = (id: string): Firmware | undefined => {
    const row = byId.first({ id });
    return row && read(row);
  };
  const existing = (id: string): Firmware => {
    const found = get(id);
    if (!found) throw notFound(`Firmware ${id}`);
    return found;
  };
  const countAll = (productKey?: string) =>
    db
      .select({ count: count() })
      .from(firmware)
      .where(productKey === undefined ? undefined : eq(firmware.productKey, productKey))
      .get()?.count ?? 0;

  const insert = (added: NewFirmware, firmwareMax: number): string => {
    requireSigned(requireProduct(connection, added.productKey), added);
    const used = countAll();
    if (used >= firmwareMax) throw quotaExceeded(used, firmwareMax);
    try {
      db.insert(firmware).values(added).run();
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      throw new FerryError(
        'firmware-version-exists',
        `version: product ${added.productKey} has firmware of version ${added.version} for module ${added.module} already; choose another version.`,
        { errors: [{ field: 'version', message: 'exists already for this product and module' }] },
      );
    }
    return added.id;
  };

  return {
    addFirmware: (added, { firmwareMax }, idempotency) =>
      writes.run(() =>
        createOnce(connection, {
          idempotency,
          atMs: added.createdAtMs,
          create: () => insert(added, firmwareMax),
          read: existing,
        }),
      ),

    getFirmware: async (id) => get(id),

    async listFirmware({ productKey }, page) {
      const cursor = readCursor(page.cursor, ['number', 'string']);
      const rows = list.all({ productKey, ...boundPage(cursor, page) });
      return pageOf(rows, page, {
        key: (row) => [row.createdAtMs, row.id],
        item: read,
      });
    },

    countFirmware: async (productKey) => countAll(productKey),

    deleteFirmware: (id, atMs) =>
      writes.run(() => {
        const found = existing(id);
        if (found.deletedAtMs !== null) return found;
        const users = openTasksOf(connection, id);
        if (users.length > 0) {
          throw new FerryError(
            'firmware-in-use',
            `Firmware ${found.name}@${found.version} is used by ${users.length} open task(s): ${users.slice(0, 5).join(', ')}. Cancel them or wait for their end.`,
            { taskIds: users },
          );
        }
        db.update(firmware).set({ deletedAtMs: atMs }).where(eq(firmware.id, id)).run();
        return existing(id);
      }),
  };
}

const firmwareList = ({ db }: Connection) =>
  preparedByShape(COLUMNS, (given) =>
    db
      .select()
      .from(firmware)
      .where(
        and(
          isNull(firmware.deletedAtMs),
          given('productKey', (productKey) => eq(firmware.productKey, productKey)),
          behind([firmware.createdAtMs, firmware.id], given),
        ),
      )
      .orderBy(desc(firmware.createdAtMs), desc(firmware.id))
      .limit(PAGE_LIMIT),
  );

/**
 * The signature itself was checked against a key when the firmware came; here it counts whether the product trusts that
 * key now.
 *
 * @throws FerryError `firmware-signature-invalid`, `trust-undecided`
 */
export function requireSigned(product: Product, { signatureKeyId }: Pick<NewFirmware, 'signatureKeyId'>): void {
  const { productKey, trustedKeys } = product;
  if (product.trustUndecided) throw trustUndecided(productKey);
  if (trustedKeys.length === 0 || trustedKeys.some(({ keyId }) => keyId === signatureKeyId)) return;
  const why = signatureKeyId ? `is signed by key ${signatureKeyId}` : 'is not signed';
  throw new FerryError(
    'firmware-signature-invalid',
    `signature: product ${productKey} takes only firmware signed by ${trustedKeys.map(({ keyId }) => keyId).join(' or ')}; this one ${why}. Sign it with "ferry firmware sign".`,
    { errors: [{ field: 'signature', message: why }] },
  );
}

const openTasksOf = ({ db }: Pick<Connection, 'db'>, firmwareId: string): string[] =>
  db
    .select({ id: tasks.id })
    .from(tasks)
    .where(and(eq(tasks.firmwareId, firmwareId), IS_OPEN_TASK))
    .all()
    .map(({ id }) => id);

/** Reads a row with what follows from its tasks; prepared, for lists read many. */
export function firmwareReader({ db }: Pick<Connection, 'db'>) {
  const openTasks = db
    .select({ kind: tasks.kind })
    .from(tasks)
    .where(and(eq(tasks.firmwareId, sql.placeholder('id')), IS_OPEN_TASK))
    .prepare();
  const lastVerification = verificationReader({ db });
  return (row: FirmwareRow): Firmware => {
    const open = openTasks.all({ id: row.id });
    const isVerifying = open.some(({ kind }) => kind === 'verification');
    const status: FirmwareStatus = row.verifiedAtMs !== null ? 'verified' : isVerifying ? 'verifying' : 'unverified';
    return { ...row, status, openTasks: open.length, lastVerification: lastVerification(row.lastVerification) };
  };
}
