import { setImmediate } from 'node:timers/promises';
import { and, asc, eq, gt, lte, sql } from 'drizzle-orm';
import type { DeviceKey } from '../../domain/ids.js';
import { DEFAULT_MODULE } from '../../domain/names.js';
import type { Device, DeviceFilter, DeviceUpdateRecord, Page, PageRequest } from '../records.js';
import type { Connection } from './connection.js';
import { IS_OPEN_AND_BEGUN } from './device-update-rows.js';
import { boundPage, PAGE_LIMIT, pageOf, readCursor } from './paging.js';
import { among, prepared, preparedByShape, type Bound, type Given, type Prepared } from './prepared.js';
import { DEVICE_UPDATE, deviceUpdateRecord } from './rows.js';
import { devices, deviceUpdates, deviceVersions } from './schema.js';

interface DeviceLists {
  readonly getDevice: (key: DeviceKey) => Device | undefined;
  readonly listDevices: (productKey: string, filter: DeviceFilter, page: PageRequest) => Promise<Page<Device>>;
}

/** A device as operators see it; its secret stays here. */
const DEVICE = {
  productKey: devices.productKey,
  deviceName: devices.deviceName,
  protocol: devices.protocol,
  online: devices.online,
  lastSeenAtMs: devices.lastSeenAtMs,
  revokedAtMs: devices.revokedAtMs,
  refusedSignIn: devices.refusedSignIn,
  nameClash: devices.nameClash,
  createdAtMs: devices.createdAtMs,
};
type DeviceColumns = Omit<Device, 'version' | 'modules' | 'currentUpdate'>;

export function deviceLists(connection: Connection): DeviceLists {
  const { db } = connection;
  const byKey = prepared(
    DEVICE,
    db
      .select(DEVICE)
      .from(devices)
      .where(
        and(
          eq(devices.productKey, sql.placeholder('productKey')),
          eq(devices.deviceName, sql.placeholder('deviceName')),
        ),
      ),
  );
  const ofProduct = productPages(connection);
  const ofVersion = versionPages(connection);
  const whole = deviceReader(connection);

  return {
    getDevice({ productKey, deviceName }) {
      const row = byKey.first({ productKey, deviceName });
      return row && whole(productKey, [row])[0];
    },

    async listDevices(productKey, { version, module, online, search }, page) {
      const cursor = readCursor(page.cursor, ['string']);
      const bound = {
        ...{ productKey, search: search || undefined, online: online === undefined ? undefined : Number(online) },
        ...(version === undefined ? {} : { version, module: module ?? DEFAULT_MODULE }),
        ...boundPage(cursor, page),
      };
      const rows = await (version === undefined ? ofProduct(bound) : ofVersion(bound));
      const found = pageOf(rows, page, { key: ({ deviceName }) => [deviceName], item: (row) => row });
      return { ...found, items: whole(productKey, found.items) };
    },
  };
}

type PageRows = (bound: Bound) => Promise<DeviceColumns[]>;

/** What one turn looks at: some 20 ms of it, when none of them is what is asked for. */
const DEVICES_A_TURN = 10_000;

interface Walk {
  /** Those that a page shows, up to the name `until`, if that is given. */
  readonly page: Prepared<DeviceColumns>;
  /** Where the devices of one turn end: the name of the one that is so many further on. */
  readonly end: Prepared<{ readonly deviceName: string }>;
}

/** Goes on in the next turn where the filter leaves out so many that one turn does not fill the page. */
async function inTurns({ page, end }: Walk, bound: Bound): Promise<DeviceColumns[]> {
  const rows: DeviceColumns[] = [];
  let from = bound.cursor;
  for (;;) {
    const limit = Number(bound.limit) - rows.length;
    const until = end.first({ ...bound, cursor: from, limit: undefined, search: undefined })?.deviceName;
    rows.push(...page.all({ ...bound, cursor: from, until, limit }));
    if (until === undefined || rows.length >= Number(bound.limit)) return rows;
    from = until;
    await setImmediate();
  }
}

const contains = (given: Given) => given('search', (search) => sql`instr(${devices.deviceName}, ${search}) > 0`);

/** How many come before the last of a turn. */
const BEFORE_END = DEVICES_A_TURN - 1;

function productPages({ db }: Connection): PageRows {
  const walked = (given: Given) =>
    and(
      eq(devices.productKey, sql.placeholder('productKey')),
      given('online', (online) => eq(devices.online, online)),
      contains(given),
      given('cursor', (deviceName) => gt(devices.deviceName, deviceName)),
      given('until', (deviceName) => lte(devices.deviceName, deviceName)),
    );
  const page = preparedByShape(DEVICE, (given) =>
    db.select(DEVICE).from(devices).where(walked(given)).orderBy(asc(devices.deviceName)).limit(PAGE_LIMIT),
  );
  const NAME = { deviceName: devices.deviceName };
  const end = preparedByShape<{ deviceName: string }>(NAME, (given) =>
    db.select(NAME).from(devices).where(walked(given)).orderBy(asc(devices.deviceName)).limit(1).offset(BEFORE_END),
  );
  return async (bound) => (bound.search === undefined ? page.all(bound) : inTurns({ page, end }, bound));
}

/**
 * Walks the index of versions, so that a page costs the same however many devices run the version. `+`: else SQLite
 * looks for each device among all that are online, a second a page at half a million devices.
 */
function versionPages({ db }: Connection): PageRows {
  const walked = (given: Given) =>
    and(
      eq(deviceVersions.productKey, sql.placeholder('productKey')),
      eq(deviceVersions.module, sql.placeholder('module')),
      eq(deviceVersions.version, sql.placeholder('version')),
      given('cursor', (deviceName) => gt(deviceVersions.deviceName, deviceName)),
      given('until', (deviceName) => lte(deviceVersions.deviceName, deviceName)),
    );
  const page = preparedByShape(DEVICE, (given) =>
    db
      .select(DEVICE)
      .from(deviceVersions)
      .innerJoin(
        devices,
        and(eq(devices.productKey, deviceVersions.productKey), eq(devices.deviceName, deviceVersions.deviceName)),
      )
      .where(
        and(
          walked(given),
          given('online', (online) => sql`+${devices.online} = ${online}`),
          contains(given),
        ),
      )
      .orderBy(asc(deviceVersions.deviceName))
      .limit(PAGE_LIMIT),
  );
  const NAME = { deviceName: deviceVersions.deviceName };
  const end = preparedByShape<{ deviceName: string }>(NAME, (given) =>
    db
      .select(NAME)
      .from(deviceVersions)
      .where(walked(given))
      .orderBy(asc(deviceVersions.deviceName))
      .limit(1)
      .offset(BEFORE_END),
  );
  return async (bound) =>
    bound.search === undefined && bound.online === undefined ? page.all(bound) : inTurns({ page, end }, bound);
}

/** Adds to the rows, all of one product, the versions that they report and the update that holds them. */
function deviceReader({ db }: Connection) {
  const names = sql.placeholder('names');
  const REPORTED = {
    deviceName: deviceVersions.deviceName,
    module: deviceVersions.module,
    version: deviceVersions.version,
    reportedAtMs: deviceVersions.reportedAtMs,
  };
  const reported = prepared(
    REPORTED,
    db
      .select(REPORTED)
      .from(deviceVersions)
      .where(
        and(eq(deviceVersions.productKey, sql.placeholder('productKey')), among(deviceVersions.deviceName, names)),
      ),
  );
  const open = prepared(
    DEVICE_UPDATE,
    db
      .select(DEVICE_UPDATE)
      .from(deviceUpdates)
      .where(
        and(
          eq(deviceUpdates.productKey, sql.placeholder('productKey')),
          among(deviceUpdates.deviceName, names),
          IS_OPEN_AND_BEGUN,
        ),
      ),
  );
  return (productKey: string, rows: readonly DeviceColumns[]): Device[] => {
    if (rows.length === 0) return [];
    const bound = { productKey, names: JSON.stringify(rows.map(({ deviceName }) => deviceName)) };
    const modules = new Map<string, Device['modules'][number][]>(rows.map(({ deviceName }) => [deviceName, []]));
    for (const { deviceName, ...module } of reported.all(bound)) modules.get(deviceName)?.push(module);
    const updates = new Map<string, DeviceUpdateRecord>();
    for (const row of open.all(bound)) {
      if (!updates.has(row.deviceName)) updates.set(row.deviceName, deviceUpdateRecord(row));
    }
    return rows.map((row) => {
      const ofDevice = modules.get(row.deviceName) ?? [];
      return {
        ...row,
        version: ofDevice.find(({ module }) => module === DEFAULT_MODULE)?.version ?? null,
        modules: ofDevice,
        currentUpdate: updates.get(row.deviceName) ?? null,
      };
    });
  };
}
