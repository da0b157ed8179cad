import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { onlineBackoffMs, progressOf } from '../domain/device-update.js';
import type { DeviceKey } from '../domain/ids.js';
import { Turns } from '../domain/turns.js';
import type { OpenDeviceUpdate, Records } from '../records/records.js';
import { onlineSignal } from '../workflows/messages.js';
import type { DeviceLink } from './device-link.js';
import type { DeviceUpdateSignals } from './device-update-signals.js';
import { tellEach } from './tell-each.js';

/** How an `online` signal is tried again while records or engine are away. */
export interface OnlineRetry {
  readonly firstDelayMs: number;
  readonly delayMsMax: number;
}

const DEFAULT_RETRY: OnlineRetry = { firstDelayMs: 1_000, delayMsMax: 30_000 };
/**
 * Signals under way at once. When the whole fleet is back after an outage, the engine gets them at the pace that it
 * takes; all at once, most of them would time out and come again.
 */
const AT_ONCE_MAX = 40;
/** Updates looked at in one sweep. */
const SWEEP_MAX = 500;

/** A connection of a device that can be notified on it. */
export interface OnlineConnection {
  readonly device: DeviceKey;
  readonly isOpen: boolean;
  /** Aborted when it has ended. */
  readonly ended: AbortSignal;
}

export interface OnlineSignalsDeps {
  readonly records: Pick<Records, 'openDeviceUpdate' | 'signalled' | 'pendingOnlineUpdates'>;
  readonly signals: DeviceUpdateSignals;
  readonly log: Pick<Logger, 'warn'>;
  readonly now: () => number;
  readonly retry?: OnlineRetry | undefined;
}

/** Tells a device update's run that its device can be notified now, without ever flooding it. */
export class OnlineSignals {
  readonly #retry: OnlineRetry;
  readonly #turns = new Turns(AT_ONCE_MAX);

  constructor(private readonly deps: OnlineSignalsDeps) {
    this.#retry = deps.retry ?? DEFAULT_RETRY;
  }

  /** Tries until the run knows, or the connection has ended. Never rejects. */
  async deviceOnline(connection: OnlineConnection): Promise<void> {
    const sinceMs = this.deps.now();
    const { firstDelayMs, delayMsMax } = this.#retry;
    for (let delayMs = firstDelayMs, isLogged = false; connection.isOpen;) {
      try {
        const heldBackMs = await this.#turns.run(() => this.#tell(connection, sinceMs));
        if (heldBackMs === 0) return;
        await pause(heldBackMs, connection);
      } catch (error) {
        if (delayMs >= delayMsMax && !isLogged) {
          this.deps.log.warn({ ...connection.device, error: String(error) }, 'online signal not sent; it is tried on');
          isLogged = true;
        }
        await pause(delayMs, connection);
        delayMs = Math.min(2 * delayMs, delayMsMax);
      }
    }
  }

  /** @returns ms for which it is held back, when nobody else will send it then */
  async #tell(connection: OnlineConnection, sinceMs: number): Promise<number> {
    if (!connection.isOpen) return 0;
    const update = await this.deps.records.openDeviceUpdate(connection.device, null);
    const isTold = (update?.onlineSignalledAtMs ?? -Infinity) >= sinceMs;
    if (!update || isTold) return 0;
    const heldBackMs = await this.#signal(update);
    // A pending one is the sweep's; one that is notified has a time limit for its response.
    return update.record.status === 'upgrading' ? heldBackMs : 0;
  }

  /**
   * Sends what was held back or lost: open, begun, pending updates of devices that can be reached.
   *
   * @throws what records or engine throw, once all that could be sent is sent
   */
  async sweep(link: Pick<DeviceLink, 'isReachable'>): Promise<void> {
    const updates = await this.deps.records.pendingOnlineUpdates(SWEEP_MAX);
    const reachable = updates.filter(({ record }) => link.isReachable(record));
    await tellEach(reachable, (update) => this.#signal(update));
  }

  /** @returns ms for which it is held back; 0 when it was sent */
  async #signal({ record, onlineSignals, onlineSignalledAtMs }: OpenDeviceUpdate): Promise<number> {
    const { records, signals, now } = this.deps;
    const atMs = now();
    const untilMs = (onlineSignalledAtMs ?? -Infinity) + onlineBackoffMs(onlineSignals);
    if (atMs < untilMs) return untilMs - atMs;
    await signals.send(record, onlineSignal, { taskId: record.taskId, atMs, progress: progressOf(record) });
    await records.signalled(record.id, 'online', atMs);
    return 0;
  }
}

const pause = (ms: number, { ended }: OnlineConnection): Promise<void> =>
  sleep(ms, undefined, { signal: ended }).catch(() => undefined);
