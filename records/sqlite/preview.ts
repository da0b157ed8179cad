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
  for (const part of partsOf(batch)) {
    groups.push(...groupsOf(row, part));
    if (batch.deviceNames !== null) await setImmediate();
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

const NAMES_A_TURN = 10_000;

/** A long list in parts, between which others have their turn; each device is counted once. */
function* partsOf(batch: Batch): Generator<Batch> {
  if (batch.deviceNames === null) {
    yield batch;
    return;
  }
  const names = [...new Set(batch.deviceNames)];
  for (let from = 0; from < names.length; from += NAMES_A_TURN) {
    yield { ...batch, deviceNames: names.slice(from, from + NAMES_A_TURN) };
  }
}

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

/** Counts devices by version and by what they are at; all of the product's, or those that are named. */
function groupFinder({ sqlite }: Connection) {
  const statement = (named: boolean) =>
    sqlite.prepare<string[], Group>(
      `SELECT v.version AS version, d.protocol != 'mqtt' AS isTransient, d.online AS online, count(*) AS devices,
         EXISTS (SELECT 1 FROM device_updates u WHERE u.product_key = d.product_key AND u.device_name = d.device_name
           AND u.status IN ('pending', 'notified', 'upgrading') AND u.begun_at_ms IS NOT NULL) AS isBusy
       FROM device_versions v JOIN devices d ON d.product_key = v.product_key AND d.device_name = v.device_name
       WHERE v.product_key = ? AND v.module = ? AND v.version IN (SELECT value FROM json_each(?))
         AND d.revoked_at_ms IS NULL
         ${named ? 'AND v.device_name IN (SELECT value FROM json_each(?))' : ''}
       GROUP BY v.version, isTransient, d.online, isBusy`,
    );
  const [all, named] = [statement(false), statement(true)];
  return (
    { productKey, module }: Pick<FirmwareRow, 'productKey' | 'module'>,
    { sourceVersions, deviceNames }: Batch,
  ): Group[] => {
    const running = [productKey, module, JSON.stringify(sourceVersions)];
    return deviceNames === null ? all.all(...running) : named.all(...running, JSON.stringify(deviceNames));
  };
}
