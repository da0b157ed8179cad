import type { Logger } from 'pino';
import type { DeviceKey } from '../domain/ids.js';
import { RecentMap } from '../domain/recent-map.js';
import type { SignInRefusal } from '../domain/sign-in-refusals.js';
import type { Records } from '../records/records.js';
import type { Irregularities } from './irregularities.js';
import type { BrokerMetrics } from './metrics.js';
import { deviceId } from './topics.js';

/** The same refusal of the same device is logged again after this time. */
const LOGGED_EVERY_MS = 10 * 60_000;
/** Lines of one address within that time: who tries many names must not fill the log. */
const LINES_PER_ADDRESS_MAX = 20;
const REMEMBERED_MAX = 10_000;
/** The answer to the client is long out by then: the time that it takes tells nothing of the reason. */
const EXPLAINED_AFTER_MS = 50;

export interface RefusedSignInsDeps {
  readonly records: Pick<Records, 'signInRefused'>;
  readonly irregularities: Irregularities;
  readonly metrics: Pick<BrokerMetrics, 'signInsRefused'>;
  readonly log: Pick<Logger, 'warn'>;
  readonly now: () => number;
}

/** Who was refused. */
export interface Refused {
  readonly reason: SignInRefusal;
  readonly address: string;
  /** The device that it claims to be, if it names one. */
  readonly device?: DeviceKey | undefined;
}

/** Makes known to operators why sign-ins are refused: by a metric, in the log and on the device. Never to a client. */
export class RefusedSignIns {
  readonly #logged = new RecentMap<string, number>(REMEMBERED_MAX);
  readonly #lines = new RecentMap<string, { readonly sinceMs: number; readonly count: number }>(REMEMBERED_MAX);

  constructor(private readonly deps: RefusedSignInsDeps) {}

  note(refused: Refused): void {
    const { reason } = refused;
    this.deps.irregularities.count(reason === 'held-back' ? 'sign-in-held-back' : 'sign-in-refused');
    setTimeout(() => void this.#explain(refused), EXPLAINED_AFTER_MS).unref();
  }

  async #explain({ reason, address, device }: Refused): Promise<void> {
    const { records, metrics, now } = this.deps;
    // Who is held back was not even looked at: the reason before that stays on the device.
    const known =
      device && reason !== 'held-back'
        ? await records.signInRefused(device, { reason, address, atMs: now() }).catch(() => reason)
        : reason;
    metrics.signInsRefused.inc({ reason: known });
    this.#log(known, address, device);
  }

  #log(reason: SignInRefusal, address: string, device: DeviceKey | undefined): void {
    const atMs = this.deps.now();
    const subject = device ? deviceId(device) : address;
    const key = `${reason} ${subject}`;
    if (atMs - (this.#logged.get(key) ?? -Infinity) < LOGGED_EVERY_MS) return;
    const lines = this.#lines.get(address);
    const isCounted = lines !== undefined && atMs - lines.sinceMs < LOGGED_EVERY_MS;
    const { sinceMs, count } = isCounted ? lines : { sinceMs: atMs, count: 0 };
    if (count >= LINES_PER_ADDRESS_MAX) return;
    this.#lines.set(address, { sinceMs, count: count + 1 });
    this.#logged.set(key, atMs);
    const kind = reason === 'held-back' ? 'sign-in-held-back' : 'sign-in-refused';
    const more = count + 1 === LINES_PER_ADDRESS_MAX ? { note: 'more of this address are counted only' } : {};
    this.deps.log.warn({ kind, subject, reason, address, ...more }, 'sign-in refused');
  }
}
