import type { DeviceEventKind } from './events.js';
import type { FleetCounts } from './fleet.js';

const TOLD: readonly DeviceEventKind[] = [
  'succeeded',
  'failed',
  'silent',
  'stalled',
  'kept-old-version',
  'abandoned',
  'renotified',
  'refused',
  'unreachable',
];

/** `online 30 of 30 · updating 4 · succeeded 12 · failed 2`. */
export function fleetLine({ devices, online, updating, events }: FleetCounts): string {
  const told = TOLD.filter((kind) => events[kind] > 0).map((kind) => `${kind} ${events[kind]}`);
  return [`online ${online} of ${devices}`, `updating ${updating}`, ...told].join(' · ');
}
