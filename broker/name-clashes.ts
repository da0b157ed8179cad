import type { DeviceKey } from '../domain/ids.js';
import { RecentMap } from '../domain/recent-map.js';
import type { Records } from '../records/records.js';
import type { Irregularities } from './irregularities.js';
import { deviceId } from './topics.js';

/** One device comes back by itself now and then; two that share a name push each other out for as long as both live. */
const TAKEOVERS_MIN = 3;
const WITHIN_MS = 5 * 60_000;
/** How exact the recorded time is. */
const RECORDED_EVERY_MS = 60_000;
const DEVICES_MAX = 10_000;

interface Recent {
  readonly takeoversAtMs: readonly number[];
  readonly recordedAtMs: number;
}

export interface NameClashesDeps {
  readonly records: Pick<Records, 'nameClashed'>;
  readonly irregularities: Irregularities;
  readonly now: () => number;
}

/** Finds two units that sign in with the same device name, and makes it known. */
export class NameClashes {
  readonly #recent = new RecentMap<string, Recent>(DEVICES_MAX);

  constructor(private readonly deps: NameClashesDeps) {}

  /** A connection has taken over from another one of the same name that was still open. */
  tookOver(device: DeviceKey, addresses: readonly string[]): void {
    const { irregularities, now } = this.deps;
    const id = deviceId(device);
    const atMs = now();
    const { takeoversAtMs = [], recordedAtMs = -Infinity } = this.#recent.get(id) ?? {};
    const recent = [...takeoversAtMs.filter((tookMs) => atMs - tookMs < WITHIN_MS), atMs].slice(-TAKEOVERS_MIN);
    const isClash = recent.length === TAKEOVERS_MIN;
    const isToRecord = isClash && atMs - recordedAtMs >= RECORDED_EVERY_MS;
    this.#recent.set(id, { takeoversAtMs: recent, recordedAtMs: isToRecord ? atMs : recordedAtMs });
    if (isClash) irregularities.note('name-clash', id, `connected from ${addresses.join(' and ')} in turn`);
    if (isToRecord) {
      // Only for operators to see: it comes again as long as it is so.
      this.deps.records.nameClashed(device, { atMs, addresses }).catch(() => undefined);
    }
  }
}
