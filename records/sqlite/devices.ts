import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { and, count, desc, eq, isNull, sql } from 'drizzle-orm';
import { FerryError, notFound } from '../../domain/errors.js';
import type { DeviceKey } from '../../domain/ids.js';
import type { Device, NewDevice, NewProduct, Records } from '../records.js';
import { isUniqueViolation, type Connection } from './connection.js';
import { deviceLists } from './device-lists.js';
import { deviceUpdateFinder } from './device-update-rows.js';
import { findProduct, PRODUCT, requireProduct } from './products.js';
import { createOnce } from './idempotency.js';
import { behind, boundPage, PAGE_LIMIT, pageOf, readCursor } from './paging.js';
import { preparedByShape } from './prepared.js';
import { checkpoint, deviceOwner, sealAll, syncedToDisk } from './device-secrets.js';
import { devices, deviceVersions, products } from './schema.js';
import { versionNotes } from './soak.js';

type DeviceRecords = Pick<
  Records,
  | 'createProduct'
  | 'getProduct'
  | 'listProducts'
  | 'trustKeys'
  | 'registerDevices'
  | 'getDevice'
  | 'listDevices'
  | 'deviceSecret'
  | 'signInRefused'
  | 'nameClashed'
  | 'rotateDeviceSecret'
  | 'revokeDevice'
  | 'resealSecrets'
  | 'deviceConnected'
  | 'deviceDisconnected'
  | 'allDevicesDisconnected'
  | 'versionReported'
  | 'installedVersion'
>;
type DeviceRow = typeof devices.$inferSelect;

/** How exact a connected device's being seen is: its coming and going are noted at once, a repeated report is not. */
const SEEN_MS = 60_000;
/** A device with a wrong secret tries every few seconds. */
const REFUSAL_NOTED_MS = 10_000;
/** Of a device: each module's name is a row for good, and what a device sends is not to be trusted. */
const MODULES_MAX = 64;
/** Names that an error lists at most. */
const NAMES_SHOWN_MAX = 20;

export function deviceRecords(connection: Connection): DeviceRecords {
  const { db, writes, sealer } = connection;
  const find = deviceUpdateFinder(connection);
  const noteVersion = versionNotes(connection);
  const isDevice = ({ productKey, deviceName }: DeviceKey) =>
    and(eq(devices.productKey, productKey), eq(devices.deviceName, deviceName));
  const secretOf = db
    .select({ secret: devices.deviceSecret, revokedAtMs: devices.revokedAtMs })
    .from(devices)
    .where(IS_DEVICE)
    .prepare();
  const refusalOf = db
    .select({ revokedAtMs: devices.revokedAtMs, refusedSignIn: devices.refusedSignIn })
    .from(devices)
    .where(IS_DEVICE)
    .prepare();
  let decoy: string | undefined;
  const presence = presenceStatements(connection);
  const reports = reportStatements(connection);
  const productPages = preparedByShape(PRODUCT, (given) =>
    db
      .select(PRODUCT)
      .from(products)
      .where(and(isNull(products.deletedAtMs), behind([products.createdAtMs, products.productKey], given)))
      .orderBy(desc(products.createdAtMs), desc(products.productKey))
      .limit(PAGE_LIMIT),
  );
  const { getDevice, listDevices } = deviceLists(connection);
  const change = (key: DeviceKey, set: Partial<DeviceRow>): Promise<Device> =>
    writes.run(() => {
      db.update(devices).set(set).where(isDevice(key)).run();
      const changed = getDevice(key);
      if (!changed) throw notFound(`The device ${key.deviceName} of product ${key.productKey}`);
      return changed;
    });

  return {
    createProduct: (product, idempotency) =>
      writes.run(() =>
        createOnce(connection, {
          idempotency,
          atMs: product.createdAtMs,
          create: () => insertProduct(connection, product),
          read: (productKey) => requireProduct(connection, productKey),
        }),
      ),

    async getProduct(productKey) {
      return findProduct(connection, productKey);
    },

    async listProducts(page) {
      const rows = productPages.all(boundPage(readCursor(page.cursor, ['number', 'string']), page));
      return pageOf(rows, page, { key: (row) => [row.createdAtMs, row.productKey], item: (row) => row });
    },

    trustKeys: (productKey, change) =>
      writes.run(() => {
        const product = requireProduct(connection, productKey);
        const trustedKeys = change(product.trustedKeys);
        db.update(products)
          .set({ trustedKeys, trustUndecided: false })
          .where(eq(products.productKey, productKey))
          .run();
        return { ...product, trustedKeys, trustUndecided: false };
      }),

    registerDevices: async (productKey, added, createdAtMs, idempotency) => {
      const sealed = await sealedDevices(connection, productKey, added);
      return writes.run(() =>
        createOnce<readonly NewDevice[]>(connection, {
          idempotency,
          atMs: createdAtMs,
          create: () => {
            requireProduct(connection, productKey);
            // Its own id, not the key: a forgotten key may be used again, and must not answer older secrets.
            const registration = idempotency ? randomUUID() : null;
            insertDevices(connection, { productKey, added: sealed, createdAtMs, registration });
            return registration ?? productKey;
          },
          read: (registration) => (idempotency ? registeredBy(connection, registration, added.length) : added),
        }),
      );
    },

    getDevice: async (key) => getDevice(key),
    installedVersion: async ({ productKey, deviceName }, module) =>
      reports.installed.get({ productKey, deviceName, module }),

    listDevices,

    async deviceSecret({ productKey, deviceName }) {
      const row = secretOf.get({ productKey, deviceName });
      if (row && row.revokedAtMs === null) return sealer.open(row.secret, deviceOwner({ productKey, deviceName }));
      // The same work for who does not exist: the time it takes tells nothing.
      sealer.open((decoy ??= sealer.seal('nobody', 'nobody')), 'nobody');
      return undefined;
    },

    async signInRefused(key, refusal) {
      const { productKey, deviceName } = key;
      const row = refusalOf.get({ productKey, deviceName });
      if (!row) return 'unknown-device';
      const reason = row.revokedAtMs === null ? refusal.reason : 'revoked';
      const { refusedSignIn: last } = row;
      const isKnown =
        last?.reason === reason &&
        last.address === refusal.address &&
        Math.abs(refusal.atMs - last.atMs) < REFUSAL_NOTED_MS;
      if (!isKnown) {
        await writes.run(() => {
          db.update(devices)
            .set({ refusedSignIn: { ...refusal, reason } })
            .where(isDevice(key))
            .run();
        });
      }
      return reason;
    },

    nameClashed: (key, nameClash) =>
      writes.run(() => {
        db.update(devices).set({ nameClash }).where(isDevice(key)).run();
      }),

    rotateDeviceSecret: (key, deviceSecret) =>
      change(key, { deviceSecret: sealer.seal(deviceSecret, deviceOwner(key)), registration: null }),
    revokeDevice: (key, revokedAtMs) => change(key, { revokedAtMs }),
    async resealSecrets() {
      const resealed = await syncedToDisk(connection, () => writes.run(() => sealAll(connection)));
      return { resealed, isDurable: checkpoint(connection) };
    },

    deviceConnected: ({ productKey, deviceName }, connectionId, atMs) =>
      writes.run(() => {
        presence.connected.run({ productKey, deviceName, connectionId, atMs });
      }),

    deviceDisconnected: ({ productKey, deviceName }, connectionId, atMs) =>
      writes.run(() => {
        presence.disconnected.run({ productKey, deviceName, connectionId, atMs });
      }),

    allDevicesDisconnected: () =>
      writes.run(() => {
        db.update(devices)
          .set({ online: false, connectionId: null })
          .where(sql`${devices.online} = 1`)
          .run();
      }),

    versionReported: (key, { module, version, atMs }) =>
      writes.run((context) => {
        const { productKey, deviceName } = key;
        const known = reports.known.get({ productKey, deviceName, module });
        if (!known) return undefined;
        const isNews = known.version !== version;
        if (known.version === null && (reports.modules.get({ productKey, deviceName })?.count ?? 0) >= MODULES_MAX) {
          return 'too-many-modules' as const;
        }
        if (isNews) reports.version.run({ productKey, deviceName, module, version, atMs });
        if (isNews || isPast(known.lastSeenAtMs, atMs)) reports.seen.run({ productKey, deviceName, atMs });
        const update = find.open(key, module);
        if (update === undefined) return undefined;
        return noteVersion(update, { version, atMs }, context) ? find.byId(update.record.id) : update;
      }),
  };
}

/** Also when the clock was set back. */
const isPast = (lastSeenAtMs: number | null, atMs: number): boolean =>
  lastSeenAtMs === null || Math.abs(atMs - lastSeenAtMs) >= SEEN_MS;

const [PRODUCT_KEY, DEVICE_NAME] = [sql.placeholder('productKey'), sql.placeholder('deviceName')];
const AT_MS = sql`${sql.placeholder('atMs')}`;
const IS_DEVICE = and(eq(devices.productKey, PRODUCT_KEY), eq(devices.deviceName, DEVICE_NAME));

/** Prepared: all of a fleet may come and go at once. */
function presenceStatements({ db }: Connection) {
  const connectionId = sql.placeholder('connectionId');
  return {
    connected: db
      .update(devices)
      .set({ online: true, connectionId: sql`${connectionId}`, lastSeenAtMs: AT_MS })
      .where(IS_DEVICE)
      .prepare(),
    disconnected: db
      .update(devices)
      .set({ online: false, connectionId: null, lastSeenAtMs: AT_MS })
      .where(and(IS_DEVICE, eq(devices.connectionId, connectionId)))
      .prepare(),
  };
}

/** Prepared: every device sends a version report at every start, nearly always of what is known already. */
function reportStatements({ db }: Connection) {
  return {
    installed: db
      .select({
        module: deviceVersions.module,
        version: deviceVersions.version,
        reportedAtMs: deviceVersions.reportedAtMs,
      })
      .from(deviceVersions)
      .where(
        and(
          eq(deviceVersions.productKey, PRODUCT_KEY),
          eq(deviceVersions.deviceName, DEVICE_NAME),
          eq(deviceVersions.module, sql.placeholder('module')),
        ),
      )
      .prepare(),
    known: db
      .select({ lastSeenAtMs: devices.lastSeenAtMs, version: deviceVersions.version })
      .from(devices)
      .leftJoin(
        deviceVersions,
        and(
          eq(deviceVersions.productKey, devices.productKey),
          eq(deviceVersions.deviceName, devices.deviceName),
          eq(deviceVersions.module, sql.placeholder('module')),
        ),
      )
      .where(IS_DEVICE)
      .prepare(),
    modules: db
      .select({ count: count() })
      .from(deviceVersions)
      .where(and(eq(deviceVersions.productKey, PRODUCT_KEY), eq(deviceVersions.deviceName, DEVICE_NAME)))
      .prepare(),
    version: db
      .insert(deviceVersions)
      .values({
        ...{ productKey: PRODUCT_KEY, deviceName: DEVICE_NAME },
        ...{ module: sql.placeholder('module'), version: sql.placeholder('version') },
        reportedAtMs: sql.placeholder('atMs'),
      })
      .onConflictDoUpdate({
        target: [deviceVersions.productKey, deviceVersions.deviceName, deviceVersions.module],
        set: { version: sql`excluded.version`, reportedAtMs: sql`excluded.reported_at_ms` },
      })
      .prepare(),
    seen: db.update(devices).set({ lastSeenAtMs: AT_MS }).where(IS_DEVICE).prepare(),
  };
}

function insertProduct({ db }: Connection, product: NewProduct): string {
  try {
    db.insert(products).values(product).run();
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new FerryError(
      'product-exists',
      `productKey: product ${product.productKey} exists already; choose another key.`,
      {
        errors: [{ field: 'productKey', message: 'exists already' }],
      },
    );
  }
  return product.productKey;
}

const SEALED_A_TURN = 4_000;

/** Before the write: sealing thousands takes longer than writing them, and others have their turn in between. */
async function sealedDevices(
  { sealer }: Connection,
  productKey: string,
  added: readonly NewDevice[],
): Promise<NewDevice[]> {
  const sealed: NewDevice[] = [];
  for (const [i, { deviceName, deviceSecret, protocol }] of added.entries()) {
    if (i % SEALED_A_TURN === SEALED_A_TURN - 1) await setImmediate();
    sealed.push({
      deviceName,
      deviceSecret: sealer.seal(deviceSecret, deviceOwner({ productKey, deviceName })),
      protocol,
    });
  }
  return sealed;
}

interface Registration {
  readonly productKey: string;
  readonly added: readonly NewDevice[];
  readonly createdAtMs: number;
  readonly registration: string | null;
}

/** Few statements, however many devices: one by one, 10,000 would hold up every other write. */
function insertDevices({ sqlite }: Connection, { productKey, added, createdAtMs, registration }: Registration): void {
  const taken = takenNames(sqlite, productKey, added);
  if (taken.length > 0) {
    throw new FerryError(
      'device-exists',
      `deviceName: ${taken.length} device(s) exist already or are named twice: ${taken.slice(0, NAMES_SHOWN_MAX).join(', ')}. None was registered.`,
      { deviceNames: taken },
    );
  }
  const rows = added.map(({ deviceName, deviceSecret, protocol }) => [deviceName, deviceSecret, protocol]);
  sqlite
    .prepare(
      `INSERT INTO devices (product_key, created_at_ms, registration, device_name, device_secret, protocol)
       SELECT ?, ?, ?, value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)`,
    )
    .run(productKey, createdAtMs, registration, JSON.stringify(rows));
}

/** Names that a device of the product has already, and those that are given twice. */
function takenNames(sqlite: Connection['sqlite'], productKey: string, added: readonly NewDevice[]): string[] {
  const names = added.map(({ deviceName }) => deviceName);
  const known = sqlite
    .prepare<[string, string], string>(
      'SELECT n.value FROM json_each(?) n CROSS JOIN devices d ON d.product_key = ? AND d.device_name = n.value',
    )
    .pluck()
    .all(JSON.stringify(names), productKey);
  const seen = new Set(known);
  return names.filter((name) => seen.size === seen.add(name).size);
}

/** @throws FerryError `registration-changed` when not all are as they were registered: a part would be taken for all */
function registeredBy({ db, sealer }: Connection, registration: string, devicesMax: number): NewDevice[] {
  const rows = db
    .select()
    .from(devices)
    .where(eq(devices.registration, registration))
    .orderBy(sql`rowid`)
    .all();
  if (rows.length < devicesMax) {
    throw new FerryError(
      'registration-changed',
      `Idempotency-Key: this request has registered its ${devicesMax} device(s) already, and ${devicesMax - rows.length} of them got another secret or name since, or were deleted; the secrets of then are not answered again. Rotate the secrets of devices that need one, and register deleted ones in a new request.`,
    );
  }
  return rows.map((row) => ({
    deviceName: row.deviceName,
    deviceSecret: sealer.open(row.deviceSecret, deviceOwner(row)),
    protocol: row.protocol,
  }));
}
