import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { onlineBackoffMs, progressOf } from '../domain/device-update.js';
import type { DeviceKey } from '../domain/ids.js';
import { RecentMap } from '../domain/recent-map.js';
import { Turns } from '../domain/turns.js';
import type { OpenDeviceUpdate, Records } from '../records/records.js';
import { onlineSignal } from '../workflows/messages.js';
import type { DeviceLink } from './device-link.js';
import type { DeviceUpdateSignals } from './device-update-signals.js';
import { tellEachOrThrow } from './tell-each.js';

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
/** How long the engine has to carry out what it was told before that counts as lost. */
const LOST_AFTER_MS = 30_000;
/** Updates of which it is known what connection their run was last told of. */
const REMEMBERED_MAX = 50_000;

/** A connection of a device that can be notified on it. */
export interface OnlineConnection {
  readonly device: DeviceKey;
  /** Another one each time that the device becomes reachable. */
  readonly onlineId: string;
  readonly isOpen: boolean;
  /** Aborted when it has ended. */
  readonly ended: AbortSignal;
}

/** What a sweep needs of the way to devices. */
export type SweptLink = Pick<DeviceLink, 'isReachable'> & Partial<Pick<DeviceLink, 'onlineId'>>;

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
  /** By update, the connection that its run was last told of. */
  readonly #told = new RecentMap<number, string>(REMEMBERED_MAX);

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
    if (!update || this.#signalledAtMs(update) >= sinceMs) return 0;
    const heldBackMs = await this.#signal(update, connection.onlineId);
    // A pending one is the sweep's; one that is notified has a time limit for its response.
    return update.record.status === 'upgrading' ? heldBackMs : 0;
  }

  /**
   * Sends what was held back or lost: open, begun, pending updates of devices that can be reached. What was sent a
   * moment ago is not lost: a busy engine just has not carried it out yet.
   *
   * @throws what records or engine throw, once all that could be sent is sent
   */
  async sweep(link: SweptLink): Promise<void> {
    const updates = await this.deps.records.pendingOnlineUpdates(SWEEP_MAX);
    const due = updates.flatMap((update) => {
      const { record } = update;
      if (!link.isReachable(record)) return [];
      const onlineId = link.onlineId?.(record);
      const told = this.#told.get(record.id);
      const isOfAnother = told !== undefined && onlineId !== undefined && told !== onlineId;
      const isLost = this.deps.now() - this.#signalledAtMs(update) >= LOST_AFTER_MS;
      return isLost || isOfAnother ? [{ update, onlineId }] : [];
    });
    await tellEachOrThrow(due, ({ update, onlineId }) => this.#signal(update, onlineId));
  }

  /** A time that is yet to come is of a clock that was ahead, and would keep the device waiting until then. */
  #signalledAtMs({ onlineSignalledAtMs }: OpenDeviceUpdate): number {
    return onlineSignalledAtMs === null || onlineSignalledAtMs > this.deps.now() ? -Infinity : onlineSignalledAtMs;
  }

  /** @returns ms for which it is held back; 0 when it was sent */
  async #signal(update: OpenDeviceUpdate, connectionId: string | undefined): Promise<number> {
    const { record, onlineSignals } = update;
    const { records, signals, now } = this.deps;
    const atMs = now();
    const untilMs = this.#signalledAtMs(update) + onlineBackoffMs(onlineSignals);
    if (atMs < untilMs) return untilMs - atMs;
    const { id, taskId } = record;
    await signals.send(record, onlineSignal, { taskId, atMs, connectionId, progress: progressOf(record) });
    if (connectionId !== undefined) this.#told.set(id, connectionId);
    await records.signalled(record.id, 'online', atMs);
    return 0;
  }
}

const pause = (ms: number, { ended }: OnlineConnection): Promise<void> =>
  sleep(ms, undefined, { signal: ended }).catch(() => undefined);
