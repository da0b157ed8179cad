import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { onlineBackoffMs, progressOf } from '../domain/device-update.js';
import type { DeviceKey } from '../domain/ids.js';
import { Turns } from '../domain/turns.js';
import type { OpenDeviceUpdate, Records } from '../records/records.js';
import { onlineSignal } from '../workflows/messages.js';
import type { DeviceLink } from './device-link.js';
import type { DeviceUpdateSignals } from './device-update-signals.js';

/** How an `online` signal is tried again while records or engine are away; the sweep goes on after the last try. */
export interface OnlineRetry {
  readonly firstDelayMs: number;
  readonly delayMsMax: number;
  readonly triesMax: number;
}

const DEFAULT_RETRY: OnlineRetry = { firstDelayMs: 1_000, delayMsMax: 30_000, triesMax: 12 };
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

  /** Tries until it is done, the connection has ended, or the tries are used up. Never rejects. */
  async deviceOnline(connection: OnlineConnection): Promise<void> {
    const { device } = connection;
    const { firstDelayMs, delayMsMax, triesMax } = this.#retry;
    for (let tries = 1; connection.isOpen; tries++) {
      try {
        await this.#turns.run(() => this.#tell(connection));
        return;
      } catch (error) {
        if (tries >= triesMax) {
          this.deps.log.warn({ ...device, error: String(error) }, 'online signal given up; the next sweep sends it');
          return;
        }
      }
      const delayMs = Math.min(firstDelayMs * 2 ** (tries - 1), delayMsMax);
      await sleep(delayMs, undefined, { signal: connection.ended }).catch(() => undefined);
    }
  }

  async #tell(connection: OnlineConnection): Promise<void> {
    if (!connection.isOpen) return;
    const update = await this.deps.records.openDeviceUpdate(connection.device, null);
    if (update) await this.#signal(update);
  }

  /**
   * Sends what was held back or lost: open, begun, pending updates of devices that can be reached.
   *
   * @throws what records or engine throw: the next sweep starts over
   */
  async sweep(link: Pick<DeviceLink, 'isReachable'>): Promise<void> {
    const updates = await this.deps.records.pendingOnlineUpdates(SWEEP_MAX);
    for (const update of updates) {
      if (link.isReachable(update.record)) await this.#signal(update);
    }
  }

  async #signal({ record, onlineSignals, onlineSignalledAtMs }: OpenDeviceUpdate): Promise<void> {
    const { records, signals, now } = this.deps;
    const atMs = now();
    const heldBack = onlineSignalledAtMs !== null && atMs - onlineSignalledAtMs < onlineBackoffMs(onlineSignals);
    if (heldBack) return;
    await signals.send(record, onlineSignal, { taskId: record.taskId, atMs, progress: progressOf(record) });
    await records.signalled(record.id, 'online', atMs);
  }
}
