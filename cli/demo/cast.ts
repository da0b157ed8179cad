import type { FailureCause } from '../../domain/causes.js';
import type { Behaviour } from '../simulator/behaviour.js';

/** A device of the demo: how it behaves, and how the batch update must end for it. */
export interface CastMember {
  readonly deviceName: string;
  readonly behaviour: Behaviour;
  readonly ends: 'succeeded' | FailureCause;
}

/** Devices by behaviour, in the order of their names. */
const PARTS: readonly (readonly [count: number, behaviour: Behaviour, ends: CastMember['ends']])[] = [
  [2, 'ok', 'succeeded'],
  [1, 'verification-failed', 'verification-failed'],
  [9, 'ok', 'succeeded'],
  [3, 'slow', 'succeeded'],
  [2, 'drops', 'succeeded'],
  [1, 'restarts', 'succeeded'],
  [1, 'unacknowledged', 'succeeded'],
  [1, 'quiet', 'succeeded'],
  [1, 'away-in-mid-update', 'succeeded'],
  [2, 'offline-then-online', 'succeeded'],
  [1, 'offline-then-online', 'offline-expired'],
  [1, 'download-failed', 'download-failed'],
  [1, 'extraction-failed', 'extraction-failed'],
  [1, 'silent', 'no-response'],
  [1, 'stalls', 'stalled'],
  [1, 'stays-on-old-version', 'version-unconfirmed'],
  [1, 'busy', 'device-busy'],
];

export const CAST: readonly CastMember[] = PARTS.flatMap(([count, behaviour, ends]) =>
  Array.from({ length: count }, () => ({ behaviour, ends })),
).map((part, i) => ({ deviceName: `demo-${String(i + 1).padStart(2, '0')}`, ...part }));

const named = (wanted: (member: CastMember) => boolean): string[] =>
  CAST.filter(wanted).map(({ deviceName }) => deviceName);

/** The first three try the firmware: two that succeed and one that fails, and stays with the old version. */
export const TRIED = CAST.slice(0, 3).map(({ deviceName }) => deviceName);
/** Takes the second firmware, so that this one is verified too. */
export const PIONEER = CAST.slice(0, 1).map(({ deviceName }) => deviceName);
/** All that still run the old version when the batch begins. */
export const BATCH = CAST.slice(2);
/** Offline when the batch begins, online in time. */
export const LATECOMERS = named(({ behaviour, ends }) => behaviour === 'offline-then-online' && ends === 'succeeded');
export const BUSY = named(({ ends }) => ends === 'device-busy');
/** Stays broken when the others are repaired. */
export const UNREPAIRED = named(({ ends }) => ends === 'extraction-failed');
export const REPAIRED = BATCH.filter(({ ends }) => ends !== 'succeeded')
  .map(({ deviceName }) => deviceName)
  .filter((name) => !UNREPAIRED.includes(name));

/** `18 ok, 3 slow, …` */
export function castText(): string {
  const counts = new Map<string, number>();
  for (const { behaviour } of CAST) counts.set(behaviour, (counts.get(behaviour) ?? 0) + 1);
  return Array.from(counts, ([behaviour, count]) => `${count} ${behaviour}`).join(', ');
}
