import { setTimeout } from 'node:timers/promises';
import { Behaviour } from './behaviour.js';
import { carryOut } from './behaviours.js';
import { Connection, ConnectFailed, ConnectionLost } from './connection.js';
import type { DeviceEvent, UpdateAccount } from './events.js';
import { DownloadFailed } from './firmware-download.js';
import type { Flavour } from './flavour.js';
import { Messages, parseNotification, type Message, type Notification } from './messages.js';
import type { DeviceTriple } from './sign-in.js';
import type { Timing } from './timing.js';
import { Update, UpdateFailed, type UpdatingDevice } from './update.js';

/** What a device needs of its fleet. */
export interface FleetGround {
  readonly mqttUrl: string;
  readonly timing: Timing;
  /** Aborted when the fleet stops. */
  readonly signal: AbortSignal;
  /** Runs the work when it is its turn: connections are opened at a pace. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  random(): number;
  /** A report is handed to a connection; again for each attempt. */
  sending(): void;
  tell(event: DeviceEvent): void;
}

/** Who a device is and how it begins. */
export interface DeviceCharacter {
  readonly triple: DeviceTriple;
  readonly flavour: Flavour;
  readonly behaviour: Behaviour;
  readonly version: string;
}

interface RunningUpdate {
  readonly notification: Notification;
  readonly abort: AbortController;
}

/** One simulated device: its presence, its version, and the update that it is carrying out. */
export class SimulatedDevice implements UpdatingDevice {
  readonly accounts: UpdateAccount[] = [];
  private readonly messages: Messages;
  private connection: Connection | undefined;
  private coming: Promise<void> | undefined;
  private running: RunningUpdate | undefined;
  private updatesBegun = 0;
  /** The latest notification, and the connection that it came on. */
  private pushed: { readonly push: string; readonly on: object } | undefined;
  /** Offline until its time or a call. */
  private isAway = false;

  private readonly triple: DeviceTriple;
  private readonly flavour: Flavour;
  private behaviour: Behaviour;
  private installed: string;

  constructor(
    { triple, flavour, behaviour, version }: DeviceCharacter,
    private readonly ground: FleetGround,
  ) {
    this.triple = triple;
    this.flavour = flavour;
    this.behaviour = behaviour;
    this.installed = version;
    this.messages = new Messages(triple, flavour);
  }

  get deviceName(): string {
    return this.triple.deviceName;
  }
  /** The version that it runs. */
  get version(): string {
    return this.installed;
  }
  get timing(): Timing {
    return this.ground.timing;
  }
  get readsHeadersByLetter(): boolean {
    return this.flavour.readsHeadersByLetter;
  }

  tell(event: Omit<DeviceEvent, 'deviceName'>): void {
    this.ground.tell({ deviceName: this.deviceName, ...event });
  }

  /** Connects and reports its version; tries until that is acknowledged, or the fleet stops. */
  private comeOnline(): Promise<void> {
    if (this.connection) return Promise.resolve();
    this.coming ??= this.connectUntilOnline().finally(() => (this.coming = undefined));
    return this.coming;
  }

  /** The first time: a device that is offline by behaviour leaves again as soon as its version is known. */
  async begin(): Promise<void> {
    await this.comeOnline();
    if (this.behaviour !== Behaviour.OFFLINE_THEN_ONLINE) return;
    this.isAway = true;
    this.running?.abort.abort();
    await this.leave();
    if (!Number.isFinite(this.timing.offlineMs)) return;
    this.pause(this.timing.offlineMs)
      .then(() => this.comeBack())
      .catch(ignoreEnd);
  }

  /** Calls a device online that is away by behaviour; nothing otherwise. */
  async comeBack(): Promise<void> {
    if (!this.isAway) return;
    this.isAway = false;
    await this.comeOnline();
  }

  /** From now on its updates go well; what it was doing is abandoned. */
  async repair(): Promise<void> {
    this.behaviour = Behaviour.OK;
    this.running?.abort.abort();
    await this.comeBack();
  }

  /** Goes offline, with DISCONNECT. */
  async leave(): Promise<void> {
    const connection = this.connection;
    this.connection = undefined;
    await connection?.close();
  }

  async reportStep(step: number, notification: Notification, desc?: string): Promise<void> {
    // A failure is worth an acknowledgement in every flavour; percentages come again.
    const qos = step < 0 ? 1 : this.flavour.progressQos;
    await this.send(this.messages.progress(step, notification, desc), this.reportQos(qos));
  }

  async reboot(version: string): Promise<void> {
    await this.leave();
    await this.pause(this.timing.rebootMs);
    this.installed = version;
    await this.comeOnline();
  }

  async dropConnection(awayMs: number): Promise<void> {
    const connection = this.connection;
    this.connection = undefined;
    connection?.drop();
    await this.pause(awayMs);
    await this.comeOnline();
  }

  private async connectUntilOnline(): Promise<void> {
    for (let failures = 0; ; failures++) {
      this.ground.signal.throwIfAborted();
      try {
        await this.ground.inTurn(() => this.connectOnce());
        return;
      } catch (error) {
        if (!(error instanceof ConnectFailed) && !(error instanceof ConnectionLost)) throw error;
        const kind = error instanceof ConnectFailed && error.isRefusal ? 'refused' : 'unreachable';
        this.tell({ kind, reason: error.message });
      }
      await this.pause(this.retryMs(failures));
    }
  }

  private async connectOnce(): Promise<void> {
    this.ground.signal.throwIfAborted();
    const on = {};
    const connection = await Connection.open({
      mqttUrl: this.ground.mqttUrl,
      triple: this.triple,
      flavour: this.flavour,
      onMessage: (topic, payload) => this.received(topic, payload, on),
      onClose: (closed) => this.lost(closed),
      signal: this.ground.signal,
    });
    this.connection = connection;
    this.tell({ kind: 'connected' });
    await connection.subscribe(this.flavour.subscribes(this.triple.productKey, this.deviceName));
    this.ground.sending();
    await connection.publish(this.messages.inform(this.version), this.reportQos(1));
    this.tell({ kind: 'informed', version: this.version });
    if (this.flavour.asksTime) await connection.publish(this.messages.time(), 0);
    if (this.flavour.queries) await connection.publish(this.messages.query(), 0);
  }

  private reportQos(qos: 0 | 1): 0 | 1 {
    return this.behaviour === Behaviour.UNACKNOWLEDGED ? 0 : qos;
  }

  /** Doubled at each failure, and never the same for two devices: no herd comes back at once. */
  private retryMs(failures: number): number {
    const { reconnectMs, reconnectMaxMs } = this.timing;
    return Math.min(reconnectMs * 2 ** failures, reconnectMaxMs) * (0.5 + this.ground.random());
  }

  private lost(closed: Connection): void {
    this.tell({ kind: 'disconnected' });
    if (this.connection !== closed) return;
    this.connection = undefined;
    if (this.ground.signal.aborted || this.coming) return;
    this.pause(this.retryMs(0))
      .then(() => this.comeOnline())
      .catch(ignoreEnd);
  }

  /** Sends until it is acknowledged; across connections, as a QoS 1 sender must. */
  private async send(message: Message, qos: 0 | 1): Promise<void> {
    for (;;) {
      this.ground.signal.throwIfAborted();
      await this.comeOnline();
      // It may be gone again: then the report is not sent, and it comes online once more.
      const connection = this.connection;
      if (!connection) continue;
      this.ground.sending();
      try {
        await connection.publish(message, qos);
        return;
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
      }
    }
  }

  /** @param on the same for all that comes on one connection */
  private received(topic: string, payload: Buffer, on: object): void {
    const notification = parseNotification(topic, payload);
    if (!notification || this.ground.signal.aborted) return;
    const { version } = notification;
    if (topic.startsWith('/ota/device/upgrade/')) this.notePush(notification, on);
    if (version === this.version) {
      this.tell({ kind: 'ignored', version, reason: 'it runs this version' });
      this.send(this.messages.inform(version), this.reportQos(1)).catch(ignoreEnd);
      return;
    }
    const isSame =
      version === this.running?.notification.version && notification.sign === this.running.notification.sign;
    if (isSame && this.behaviour !== Behaviour.RESTARTS) {
      this.tell({ kind: 'ignored', version, reason: 'it is carrying out this update' });
      return;
    }
    this.running?.abort.abort();
    this.tell({ kind: 'notified', version });
    const running = { notification, abort: new AbortController() };
    this.running = running;
    this.carryOut(running)
      .catch(ignoreEnd)
      .finally(() => {
        if (this.running === running) this.running = undefined;
      });
  }

  /** One connection is one reason to be notified: a second push on it is one too many, unless the device was silent. */
  private notePush({ version, sign }: Notification, on: object): void {
    const push = `${version} ${sign}`;
    if (this.pushed?.push === push && this.pushed.on === on) this.tell({ kind: 'renotified', version });
    this.pushed = { push, on };
  }

  private async carryOut({ notification, abort }: RunningUpdate): Promise<void> {
    const signal = AbortSignal.any([abort.signal, this.ground.signal]);
    const isFirst = ++this.updatesBegun === 1;
    try {
      if (notification.module !== undefined) throw new UpdateFailed(-1, `It has no module ${notification.module}.`);
      const behaviour = this.behaviour === Behaviour.BUSY && !isFirst ? Behaviour.OK : this.behaviour;
      const end = await carryOut(behaviour, new Update(notification, this, signal));
      this.ended({ version: notification.version, end });
    } catch (error) {
      if (signal.aborted) this.ended({ version: notification.version, end: 'abandoned' });
      else await this.fail(notification, error);
    }
  }

  private async fail(notification: Notification, error: unknown): Promise<void> {
    const step = stepOf(error);
    const reason = error instanceof Error ? error.message : String(error);
    await this.reportStep(step, notification, reason);
    this.ended({ version: notification.version, end: 'failed', step, reason });
  }

  private ended(account: UpdateAccount): void {
    this.accounts.push(account);
    const { end, ...facts } = account;
    this.tell({ kind: end, ...facts });
  }

  private pause(ms: number): Promise<void> {
    return setTimeout(ms, undefined, { signal: this.ground.signal });
  }
}

/** Waits end by rejection when the fleet stops; nothing is left to do then. */
const ignoreEnd = (): void => undefined;

/** Steps -1 to -4 [protocol: progress]. */
function stepOf(error: unknown): number {
  if (error instanceof UpdateFailed) return error.step;
  return error instanceof DownloadFailed ? -2 : -1;
}
