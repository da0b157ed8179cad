import type { OpenDeviceUpdate } from '../records.js';
import type { Connection } from './connection.js';
import type { deviceUpdateFinder } from './device-update-rows.js';

/** Open updates that one look goes through: some 2 ms, however many wait and however many devices are online. */
const LOOKED_AT_MAX = 1_000;

interface Place {
  readonly productKey: string;
  readonly deviceName: string;
  readonly id: number;
}
type Candidate = Place & { readonly waits: 0 | 1; readonly signalledAtMs: number | null };

const BEGIN: Place = { productKey: '', deviceName: '', id: 0 };

/**
 * Finds updates that wait although their device is online. A batch may have 100,000 waiting devices, and as many may be
 * online: neither is walked through in one look. Each look goes on where the last one ended, and begins anew after the
 * last, so that each update has its turn.
 */
export function onlineWaits(
  { sqlite }: Connection,
  find: ReturnType<typeof deviceUpdateFinder>,
): (limit: number) => OpenDeviceUpdate[] {
  const next = sqlite.prepare<[string, string, number], Candidate>(
    `SELECT u.product_key AS productKey, u.device_name AS deviceName, u.id AS id,
       u.online_signalled_at_ms AS signalledAtMs, u.status = 'pending' AND u.target_reported_at_ms IS NULL AND d.online IS 1 AS waits
     FROM (SELECT * FROM device_updates WHERE status IN ('pending', 'notified', 'upgrading') AND begun_at_ms IS NOT NULL
       AND (product_key, device_name, id) > (?, ?, ?) ORDER BY product_key, device_name, id LIMIT ${LOOKED_AT_MAX}) u
     LEFT JOIN devices d ON d.product_key = u.product_key AND d.device_name = u.device_name
     ORDER BY u.product_key, u.device_name, u.id`,
  );
  let place = BEGIN;
  return (limit) => {
    const looked = next.all(place.productKey, place.deviceName, place.id);
    place = looked.length < LOOKED_AT_MAX ? BEGIN : (looked.at(-1) ?? BEGIN);
    return looked
      .filter(({ waits }) => waits === 1)
      .sort((a, b) => (a.signalledAtMs ?? 0) - (b.signalledAtMs ?? 0))
      .slice(0, limit)
      .map(({ id }) => find.byId(id))
      .filter((update) => update !== undefined);
  };
}
