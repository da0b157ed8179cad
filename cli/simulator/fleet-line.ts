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
];

/** `online 30 of 30 · updating 4 · succeeded 12 · failed 2`, and which devices have no connection, and why. */
export function fleetLine(counts: FleetCounts): string {
  const { devices, online, updating, unreachable, refused, connectProblem, events } = counts;
  const told = TOLD.filter((kind) => events[kind] > 0).map((kind) => `${kind} ${events[kind]}`);
  if (refused > 0) told.push(`refused ${refused}`);
  if (unreachable > 0) told.push(`unreachable ${unreachable}`);
  if (connectProblem !== undefined) told.push(connectProblem);
  return [`online ${online} of ${devices}`, `updating ${updating}`, ...told].join(' · ');
}
