import { RecentMap } from '../domain/recent-map.js';
import type { Integrity } from '../firmware/store.js';

/** How old an answer may be: a batch asks before each of its devices' notifications. */
const FRESH_MS = 1_000;
const FILES_MAX = 100;

/** Whether firmware's stored files are what they should be, looked at once a second at most. */
export function watchIntegrity(
  look: (sha256: string) => Promise<Integrity>,
  now: () => number = Date.now,
): (sha256: string) => Promise<Integrity> {
  const looked = new RecentMap<string, { readonly atMs: number; readonly integrity: Promise<Integrity> }>(FILES_MAX);
  return (sha256) => {
    const known = looked.get(sha256);
    if (known && Math.abs(now() - known.atMs) < FRESH_MS) return known.integrity;
    const integrity = look(sha256);
    looked.set(sha256, { atMs: now(), integrity });
    integrity.catch(() => looked.delete(sha256)); // not an answer
    return integrity;
  };
}
