import { and, count, eq, isNull, sql, type SQL } from 'drizzle-orm';
import type { SQLiteTable } from 'drizzle-orm/sqlite-core';
import { FerryError, notFound } from '../../domain/errors.js';
import type { DeviceKey } from '../../domain/ids.js';
import type { Device, Product, Records } from '../records.js';
import type { Connection } from './connection.js';
import { deviceLists } from './device-lists.js';
import { deviceOwner } from './device-secrets.js';
import { forgetIdempotencyKeysOf } from './idempotency.js';
import { deviceCounts, devices, deviceUpdates, deviceVersions, firmware, products, tasks, tokens } from './schema.js';

type ProductRecords = Pick<Records, 'changeProduct' | 'deleteProduct' | 'renameDevice' | 'deleteDevice'>;

/** The columns of a product that is in service. */
export const PRODUCT = {
  productKey: products.productKey,
  name: products.name,
  trustedKeys: products.trustedKeys,
  trustUndecided: products.trustUndecided,
  verificationSuccessesMin: products.verificationSuccessesMin,
  createdAtMs: products.createdAtMs,
};

export const findProduct = ({ db }: Pick<Connection, 'db'>, productKey: string): Product | undefined =>
  db
    .select(PRODUCT)
    .from(products)
    .where(and(eq(products.productKey, productKey), isNull(products.deletedAtMs)))
    .get();

/** @throws FerryError `not-found` */
export function requireProduct(connection: Pick<Connection, 'db'>, productKey: string): Product {
  const found = findProduct(connection, productKey);
  if (!found) throw notFound(`Product ${productKey}`);
  return found;
}

/** Changing products and devices, and taking them out of service. */
export function productRecords(connection: Connection): ProductRecords {
  const { db, writes, sealer } = connection;
  const { getDevice } = deviceLists(connection);
  const isDevice = (table: typeof devices | typeof deviceVersions, { productKey, deviceName }: DeviceKey) =>
    and(eq(table.productKey, productKey), eq(table.deviceName, deviceName));
  const existing = (key: DeviceKey): Device => {
    const found = getDevice(key);
    if (!found) throw notFound(`The device ${key.deviceName} of product ${key.productKey}`);
    return found;
  };

  return {
    changeProduct: (productKey, change) =>
      writes.run(() => {
        requireProduct(connection, productKey);
        if (Object.keys(change).length > 0) {
          db.update(products).set(change).where(eq(products.productKey, productKey)).run();
        }
        return requireProduct(connection, productKey);
      }),

    deleteProduct: (productKey, atMs) =>
      writes.run(() => {
        const product = requireProduct(connection, productKey);
        requireUnused(connection, productKey);
        const isProduct = eq(products.productKey, productKey);
        // A repeat of its creation would answer another product, which got the same key since.
        forgetIdempotencyKeysOf(connection, productKey);
        if (isNamedByRecords(connection, productKey)) {
          db.update(products).set({ deletedAtMs: atMs }).where(isProduct).run();
        } else {
          db.delete(products).where(isProduct).run();
        }
        return product;
      }),

    renameDevice: (key, deviceName) =>
      writes.run(() => {
        existing(key);
        const renamed = { ...key, deviceName };
        if (getDevice(renamed)) {
          throw new FerryError('device-exists', `deviceName: product ${key.productKey} has a device ${deviceName}.`, {
            deviceNames: [deviceName],
          });
        }
        requireNoOpenUpdate(connection, key);
        const { secret = '' } =
          db.select({ secret: devices.deviceSecret }).from(devices).where(isDevice(devices, key)).get() ?? {};
        // A secret is sealed for its device: under another name it could not be opened.
        const deviceSecret = sealer.seal(sealer.open(secret, deviceOwner(key)), deviceOwner(renamed));
        const away = { online: false, connectionId: null, registration: null };
        db.update(devices)
          .set({ deviceName, deviceSecret, ...away })
          .where(isDevice(devices, key))
          .run();
        db.update(deviceVersions).set({ deviceName }).where(isDevice(deviceVersions, key)).run();
        return existing(renamed);
      }),

    deleteDevice: (key) =>
      writes.run(() => {
        const device = existing(key);
        requireNoOpenUpdate(connection, key);
        db.delete(deviceVersions).where(isDevice(deviceVersions, key)).run();
        db.delete(devices).where(isDevice(devices, key)).run();
        return device;
      }),
  };
}

/** @throws FerryError `device-in-use` also for an update that has not begun, and waits for its turn or an approval */
function requireNoOpenUpdate({ db }: Connection, { productKey, deviceName }: DeviceKey): void {
  const open = db
    .select({ taskId: deviceUpdates.taskId })
    .from(deviceUpdates)
    .where(
      and(
        eq(deviceUpdates.productKey, productKey),
        eq(deviceUpdates.deviceName, deviceName),
        sql`+${deviceUpdates.status} IN ('pending', 'notified', 'upgrading')`,
      ),
    )
    .limit(1)
    .get();
  if (!open) return;
  throw new FerryError(
    'device-in-use',
    `Task ${open.taskId} updates the device ${deviceName}. Cancel the update of the device, or wait for its end.`,
    { taskId: open.taskId },
  );
}

const countOf = ({ db }: Pick<Connection, 'db'>, table: SQLiteTable, where: SQL | undefined): number =>
  db.select({ count: count() }).from(table).where(where).get()?.count ?? 0;

/** @throws FerryError `product-in-use` */
function requireUnused(connection: Connection, productKey: string): void {
  const used = [
    [devicesOf(connection, productKey), 'device(s): delete them'],
    [
      countOf(connection, firmware, and(eq(firmware.productKey, productKey), isNull(firmware.deletedAtMs))),
      'firmware: delete it',
    ],
    [
      countOf(connection, tokens, and(eq(tokens.productKey, productKey), isNull(tokens.revokedAtMs))),
      'token(s) that are good for it only: revoke them',
    ],
  ] as const;
  const reasons = used.flatMap(([number, what]) => (number > 0 ? [`${number} ${what}`] : []));
  if (reasons.length === 0) return;
  throw new FerryError('product-in-use', `Product ${productKey} still has ${reasons.join('; ')} first.`);
}

/** As the triggers have counted them: a product may have a million. */
const devicesOf = ({ db }: Connection, productKey: string): number =>
  db
    .select({ count: sql<number>`coalesce(sum(${deviceCounts.devices}), 0)` })
    .from(deviceCounts)
    .where(eq(deviceCounts.productKey, productKey))
    .get()?.count ?? 0;

const isNamedByRecords = ({ db }: Connection, productKey: string): boolean =>
  [firmware, tasks, tokens].some(
    (table) =>
      db.select({ productKey: table.productKey }).from(table).where(eq(table.productKey, productKey)).limit(1).get() !==
      undefined,
  );
