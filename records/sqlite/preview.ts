import { eq } from 'drizzle-orm';
import { FerryError, notFound } from '../../domain/errors.js';
import type { BatchPreview, NewTask } from '../records.js';
import { conflictsOf } from './claims.js';
import type { Connection } from './connection.js';
import type { FirmwareRow } from './rows.js';
import { firmware } from './schema.js';
import { listedTargets } from './targets.js';
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

/** SQLite takes at most 32,766 bound values a statement. */
const NAMES_A_QUERY = 1_000;

/**
 * What a batch would meet if it was created now; nothing is written.
 *
 * @throws FerryError `not-found` (firmware)
 */
export function previewBatch(connection: Connection, batch: Batch): BatchPreview {
  const row = connection.db.select().from(firmware).where(eq(firmware.id, batch.firmwareId)).get();
  if (!row) throw notFound(`Firmware ${batch.firmwareId}`);
  const groups = groupsOf(connection, row, batch);
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
    conflicts:
      sourceVersions.length === 0 ? [] : conflictsOf(connection, { taskId: '', productKey, module, sourceVersions }),
    refusal: refusalOf(connection, batch, row) ?? (devices === 0 ? noDevices() : null),
  };
}

const noDevices = () =>
  new FerryError('no-target-devices', 'No device of the product runs one of the source versions; nothing to update.');

/** The same checks as at its creation, apart from the claims. */
function refusalOf(connection: Connection, batch: Batch, row: FirmwareRow): FerryError | null {
  const task: NewTask = { ...batch, id: '', kind: 'batch', createdAtMs: 0 };
  try {
    requireUsable(connection, task);
    if (batch.deviceNames !== null) listedTargets(connection, { task, firmware: row });
    return null;
  } catch (error) {
    if (error instanceof FerryError) return error;
    throw error;
  }
}

function groupsOf(connection: Connection, row: FirmwareRow, { sourceVersions, deviceNames }: Batch): Group[] {
  if (sourceVersions.length === 0) return [];
  if (deviceNames === null) return groupsAmong(connection, row, sourceVersions, null);
  const names = [...new Set(deviceNames)];
  const groups: Group[] = [];
  for (let from = 0; from < names.length; from += NAMES_A_QUERY) {
    groups.push(...groupsAmong(connection, row, sourceVersions, names.slice(from, from + NAMES_A_QUERY)));
  }
  return groups;
}

function groupsAmong(
  { sqlite }: Connection,
  { productKey, module }: Pick<FirmwareRow, 'productKey' | 'module'>,
  versions: readonly string[],
  names: readonly string[] | null,
): Group[] {
  const marks = (values: readonly string[]) => values.map(() => '?').join(', ');
  const among = names === null ? '' : `AND v.device_name IN (${marks(names)})`;
  return sqlite
    .prepare<string[], Group>(
      `SELECT v.version AS version, d.protocol != 'mqtt' AS isTransient, d.online AS online, count(*) AS devices,
         EXISTS (SELECT 1 FROM device_updates u WHERE u.product_key = d.product_key AND u.device_name = d.device_name
           AND u.status IN ('pending', 'notified', 'upgrading') AND u.begun_at_ms IS NOT NULL) AS isBusy
       FROM device_versions v JOIN devices d ON d.product_key = v.product_key AND d.device_name = v.device_name
       WHERE v.product_key = ? AND v.module = ? AND v.version IN (${marks(versions)}) ${among}
       GROUP BY v.version, isTransient, d.online, isBusy`,
    )
    .all(productKey, module, ...versions, ...(names ?? []));
}
