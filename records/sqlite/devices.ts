import { randomUUID } from 'node:crypto';
import { and, asc, desc, eq, gt, inArray, sql, type SQL } from 'drizzle-orm';
import { FerryError, notFound } from '../../domain/errors.js';
import type { DeviceKey } from '../../domain/ids.js';
import { DEFAULT_MODULE } from '../../domain/names.js';
import type { Device, DeviceFilter, NewDevice, NewProduct, Page, PageRequest, Records } from '../records.js';
import { isUniqueViolation, type Connection } from './connection.js';
import { deviceUpdateFinder } from './device-updates.js';
import { requireProduct } from './firmware.js';
import { createOnce } from './idempotency.js';
import { behind, pageOf, readCursor } from './paging.js';
import { deviceOwner, sealAll } from './device-secrets.js';
import { devices, deviceVersions, products } from './schema.js';
import { noteSoak } from './soak.js';

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
  | 'rotateDeviceSecret'
  | 'revokeDevice'
  | 'resealSecrets'
  | 'deviceConnected'
  | 'deviceDisconnected'
  | 'allDevicesDisconnected'
  | 'versionReported'
>;
type DeviceRow = typeof devices.$inferSelect;

/** How exact a connected device's being seen is: its coming and going are noted at once, a repeated report is not. */
const SEEN_MS = 60_000;
/** Names that an error lists at most. */
const NAMES_SHOWN_MAX = 20;

export function deviceRecords(connection: Connection): DeviceRecords {
  const { db, writes, sealer } = connection;
  const find = deviceUpdateFinder(connection);
  const isDevice = ({ productKey, deviceName }: DeviceKey) =>
    and(eq(devices.productKey, productKey), eq(devices.deviceName, deviceName));
  const secretOf = db
    .select({ secret: devices.deviceSecret, revokedAtMs: devices.revokedAtMs })
    .from(devices)
    .where(IS_DEVICE)
    .prepare();
  let decoy: string | undefined;
  const presence = presenceStatements(connection);
  const reports = reportStatements(connection);
  const getDevice = (key: DeviceKey): Device | undefined => {
    const row = db.select().from(devices).where(isDevice(key)).get();
    return row && devicesOf(connection, find, [row])[0];
  };
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
      return db.select().from(products).where(eq(products.productKey, productKey)).get();
    },

    async listProducts(page) {
      const cursor = readCursor(page.cursor, ['number', 'string']);
      const rows = db
        .select()
        .from(products)
        .where(behind([products.createdAtMs, products.productKey], cursor))
        .orderBy(desc(products.createdAtMs), desc(products.productKey))
        .limit(page.limit + 1)
        .all();
      return pageOf(rows, page, { key: (row) => [row.createdAtMs, row.productKey], item: (row) => row });
    },

    trustKeys: (productKey, trustedKeys) =>
      writes.run(() => {
        db.update(products).set({ trustedKeys }).where(eq(products.productKey, productKey)).run();
        return requireProduct(connection, productKey);
      }),

    registerDevices: (productKey, added, createdAtMs, idempotency) =>
      writes.run(() =>
        createOnce<readonly NewDevice[]>(connection, {
          idempotency,
          atMs: createdAtMs,
          create: () => {
            requireProduct(connection, productKey);
            // Its own id, not the key: a forgotten key may be used again, and must not answer older secrets.
            const registration = idempotency ? randomUUID() : null;
            insertDevices(connection, { productKey, added, createdAtMs, registration });
            return registration ?? productKey;
          },
          read: (registration) => (idempotency ? registeredBy(connection, registration) : added),
        }),
      ),

    getDevice: async (key) => getDevice(key),

    listDevices: async (productKey, filter, page) => listDevices(connection, { productKey, filter, page }, find),

    async deviceSecret({ productKey, deviceName }) {
      const row = secretOf.get({ productKey, deviceName });
      if (row && row.revokedAtMs === null) return sealer.open(row.secret, deviceOwner({ productKey, deviceName }));
      // The same work for who does not exist: the time it takes tells nothing.
      sealer.open((decoy ??= sealer.seal('nobody', 'nobody')), 'nobody');
      return undefined;
    },

    rotateDeviceSecret: (key, deviceSecret) =>
      change(key, { deviceSecret: sealer.seal(deviceSecret, deviceOwner(key)), registration: null }),
    revokeDevice: (key, revokedAtMs) => change(key, { revokedAtMs }),
    resealSecrets: () => writes.run(() => sealAll(connection)),

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
        if (isNews) reports.version.run({ productKey, deviceName, module, version, atMs });
        if (isNews || isPast(known.lastSeenAtMs, atMs)) reports.seen.run({ productKey, deviceName, atMs });
        const update = find.open(key, module);
        if (update === undefined) return undefined;
        return noteSoak(connection, update, { version, atMs }, context) ? find.byId(update.record.id) : update;
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

interface Registration {
  readonly productKey: string;
  readonly added: readonly NewDevice[];
  readonly createdAtMs: number;
  readonly registration: string | null;
}

function insertDevices(
  { db, sealer }: Connection,
  { productKey, added, createdAtMs, registration }: Registration,
): void {
  const taken: string[] = [];
  const insert = db
    .insert(devices)
    .values({
      ...{ productKey, createdAtMs, registration, deviceName: sql.placeholder('deviceName') },
      ...{ deviceSecret: sql.placeholder('deviceSecret'), protocol: sql.placeholder('protocol') },
    })
    .onConflictDoNothing()
    .prepare();
  for (const { deviceName, deviceSecret, protocol } of added) {
    const sealed = sealer.seal(deviceSecret, deviceOwner({ productKey, deviceName }));
    const { changes } = insert.run({ deviceName, deviceSecret: sealed, protocol });
    if (changes === 0) taken.push(deviceName);
  }
  if (taken.length === 0) return;
  throw new FerryError(
    'device-exists',
    `deviceName: ${taken.length} device(s) exist already or are named twice: ${taken.slice(0, NAMES_SHOWN_MAX).join(', ')}. None was registered.`,
    { deviceNames: taken },
  );
}

const registeredBy = ({ db, sealer }: Connection, registration: string): NewDevice[] =>
  db
    .select()
    .from(devices)
    .where(eq(devices.registration, registration))
    .orderBy(sql`rowid`)
    .all()
    .map((row) => ({
      deviceName: row.deviceName,
      deviceSecret: sealer.open(row.deviceSecret, deviceOwner(row)),
      protocol: row.protocol,
    }));

interface DeviceList {
  readonly productKey: string;
  readonly filter: DeviceFilter;
  readonly page: PageRequest;
}

function listDevices(
  connection: Connection,
  { productKey, filter, page }: DeviceList,
  find: ReturnType<typeof deviceUpdateFinder>,
): Page<Device> {
  const { db } = connection;
  const cursor = readCursor(page.cursor, ['string']);
  const runsVersion = db
    .select({ name: deviceVersions.deviceName })
    .from(deviceVersions)
    .where(
      and(
        eq(deviceVersions.productKey, productKey),
        eq(deviceVersions.module, filter.module ?? DEFAULT_MODULE),
        eq(deviceVersions.version, filter.version ?? ''),
      ),
    );
  const conditions: (SQL | undefined)[] = [
    eq(devices.productKey, productKey),
    filter.online === undefined ? undefined : eq(devices.online, filter.online),
    filter.version === undefined ? undefined : inArray(devices.deviceName, runsVersion),
    filter.search ? sql`instr(${devices.deviceName}, ${filter.search}) > 0` : undefined,
    cursor && gt(devices.deviceName, String(cursor[0])),
  ];
  const rows = db
    .select()
    .from(devices)
    .where(and(...conditions))
    .orderBy(asc(devices.deviceName))
    .limit(page.limit + 1)
    .all();
  const shown = new Map(devicesOf(connection, find, rows).map((device) => [device.deviceName, device]));
  return pageOf(rows, page, {
    key: ({ deviceName }) => [deviceName],
    item: ({ deviceName }) => shown.get(deviceName) as Device,
  });
}

/** The rows, all of one product, with the versions that they report and the update that holds them. */
function devicesOf(
  { db }: Connection,
  find: ReturnType<typeof deviceUpdateFinder>,
  rows: readonly DeviceRow[],
): Device[] {
  const names = rows.map(({ deviceName }) => deviceName);
  const versions = db
    .select()
    .from(deviceVersions)
    .where(and(eq(deviceVersions.productKey, rows[0]?.productKey ?? ''), inArray(deviceVersions.deviceName, names)))
    .all();
  return rows.map((row) => {
    const modules = versions
      .filter(({ deviceName }) => deviceName === row.deviceName)
      .map(({ module, version, reportedAtMs }) => ({ module, version, reportedAtMs }));
    return {
      productKey: row.productKey,
      deviceName: row.deviceName,
      protocol: row.protocol,
      version: modules.find(({ module }) => module === DEFAULT_MODULE)?.version ?? null,
      modules,
      online: row.online,
      lastSeenAtMs: row.lastSeenAtMs,
      revokedAtMs: row.revokedAtMs,
      createdAtMs: row.createdAtMs,
      currentUpdate: find.open(row, null)?.record ?? null,
    };
  });
}
