import { setImmediate } from 'node:timers/promises';
import { eq } from 'drizzle-orm';
import { FerryError, notFound } from '../../domain/errors.js';
import { compareVersions } from '../../domain/versions.js';
import type { BatchPreview, NewTask } from '../records.js';
import { conflictFinder } from './claims.js';
import type { Connection } from './connection.js';
import type { FirmwareRow } from './rows.js';
import { firmware } from './schema.js';
import { requireListedInTurns } from './targets.js';
import { requireUsable } from './tasks.js';

type Batch = Pick<NewTask, 'firmwareId' | 'sourceVersions' | 'deviceNames' | 'policy'>;

/** Devices alike in all that is counted. */
interface Group {
  readonly version: string;
  readonly isTransient: number;
  readonly online: number;
  readonly isBusy: number;
  readonly devices: number;
}

/** The same of one turn, with what it takes to go on in the next one. */
interface Counted extends Omit<Group, 'version'> {
  readonly isRevoked: number;
  readonly lastName: string;
}

type Preview = (batch: Batch) => Promise<BatchPreview>;

/**
 * What a batch would meet if it was created now; nothing is written.
 *
 * @throws FerryError `not-found` (firmware)
 */
export function batchPreview(connection: Connection): Preview {
  const parts = { conflictsOf: conflictFinder(connection), groupsOf: groupFinder(connection) };
  return (batch) => previewOf(connection, batch, parts);
}

interface Parts {
  readonly conflictsOf: ReturnType<typeof conflictFinder>;
  readonly groupsOf: ReturnType<typeof groupFinder>;
}

async function previewOf(
  connection: Connection,
  batch: Batch,
  { conflictsOf, groupsOf }: Parts,
): Promise<BatchPreview> {
  const row = connection.db.select().from(firmware).where(eq(firmware.id, batch.firmwareId)).get();
  if (!row) throw notFound(`Firmware ${batch.firmwareId}`);
  const groups: Group[] = [];
  for (const part of groupsOf(row, batch)) {
    groups.push(...part);
    await setImmediate();
  }
  const count = (counts: (group: Group) => boolean) =>
    groups.filter(counts).reduce((sum, { devices }) => sum + devices, 0);
  const { productKey, module } = row;
  const { sourceVersions } = batch;
  const devices = count(() => true);
  return {
    devices,
    online: count(({ isTransient, online }) => isTransient === 0 && online === 1),
    offline: count(({ isTransient, online }) => isTransient === 0 && online === 0),
    transient: count(({ isTransient }) => isTransient === 1),
    busy: count(({ isBusy }) => isBusy === 1),
    versions: [...new Set(sourceVersions)].map((version) => ({
      version,
      devices: count((group) => group.version === version),
    })),
    conflicts: sourceVersions.length === 0 ? [] : conflictsOf({ taskId: '', productKey, module, sourceVersions }),
    unorderedVersions: [...new Set(sourceVersions)].filter(
      (version) => compareVersions(version, row.version) === undefined,
    ),
    refusal: (await refusalOf(connection, batch, row)) ?? (devices === 0 ? noDevices() : null),
  };
}

const DEVICES_A_TURN = 10_000;

const noDevices = () =>
  new FerryError('no-target-devices', 'No device of the product runs one of the source versions; nothing to update.');

/** The same checks as at its creation, apart from the claims. */
async function refusalOf(connection: Connection, batch: Batch, row: FirmwareRow): Promise<FerryError | null> {
  const task: NewTask = { ...batch, id: '', kind: 'batch', createdAtMs: 0 };
  try {
    requireUsable(connection, task);
    if (batch.deviceNames !== null) await requireListedInTurns(connection, { task, firmware: row });
    return null;
  } catch (error) {
    if (error instanceof FerryError) return error;
    throw error;
  }
}

const IS_BUSY = `EXISTS (SELECT 1 FROM device_updates o WHERE o.product_key = d.product_key AND o.device_name = d.device_name
  AND o.status IN ('pending', 'notified', 'upgrading') AND o.begun_at_ms IS NOT NULL) AS isBusy`;

type FirmwareAim = Pick<FirmwareRow, 'productKey' | 'module'>;

/**
 * Counts devices by version and by what they are at; all of the product's, or those that are named. What each step
 * yields is the work of one turn. A device that changes its version between two turns may be counted for both, or for none.
 */
function groupFinder(connection: Connection) {
  const [ofAll, ofNamed] = [allGroups(connection), namedGroups(connection)];
  return (aim: FirmwareAim, batch: Batch): Iterable<readonly Group[]> =>
    batch.deviceNames === null
      ? ofAll(aim, batch.sourceVersions)
      : ofNamed(aim, batch.sourceVersions, batch.deviceNames);
}

function namedGroups({ sqlite }: Connection) {
  const statement = sqlite.prepare<[string, string, string, string], Group>(
    `SELECT v.version AS version, d.protocol != 'mqtt' AS isTransient, d.online AS online, count(*) AS devices, ${IS_BUSY}
     FROM device_versions v JOIN devices d ON d.product_key = v.product_key AND d.device_name = v.device_name
     WHERE v.product_key = ? AND v.module = ? AND v.version IN (SELECT value FROM json_each(?))
       AND d.revoked_at_ms IS NULL AND v.device_name IN (SELECT value FROM json_each(?))
     GROUP BY v.version, isTransient, d.online, isBusy`,
  );
  return function* ({ productKey, module }: FirmwareAim, versions: readonly string[], deviceNames: readonly string[]) {
    const [names, running] = [[...new Set(deviceNames)], JSON.stringify(versions)];
    for (let from = 0; from < names.length; from += DEVICES_A_TURN) {
      const part = JSON.stringify(names.slice(from, from + DEVICES_A_TURN));
      yield statement.all(productKey, module, running, part);
    }
  };
}

/** Walks the devices of each version in the order of an index, behind the last one of the turn before. */
function allGroups({ sqlite }: Connection) {
  const statement = sqlite.prepare<[string, string, string, string, number], Counted>(
    `SELECT d.protocol != 'mqtt' AS isTransient, d.online AS online, count(*) AS devices, ${IS_BUSY},
       d.revoked_at_ms IS NOT NULL AS isRevoked, max(u.device_name) AS lastName
     FROM (SELECT product_key, device_name FROM device_versions
       WHERE product_key = ? AND module = ? AND version = ? AND device_name > ? ORDER BY device_name LIMIT ?) u
     CROSS JOIN devices d ON d.product_key = u.product_key AND d.device_name = u.device_name
     GROUP BY isTransient, d.online, isBusy, isRevoked`,
  );
  return function* ({ productKey, module }: FirmwareAim, versions: readonly string[]) {
    for (const version of new Set(versions)) {
      let behind = '';
      for (;;) {
        const counted = statement.all(productKey, module, version, behind, DEVICES_A_TURN);
        yield counted.filter(({ isRevoked }) => isRevoked === 0).map((group) => ({ ...group, version }));
        if (counted.reduce((sum, { devices }) => sum + devices, 0) < DEVICES_A_TURN) break;
        behind = counted.map(({ lastName }) => lastName).reduce((last, name) => (name > last ? name : last));
      }
    }
  };
}
