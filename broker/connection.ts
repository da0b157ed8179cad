import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Client } from 'aedes';
import type { DeviceKey } from '../domain/ids.js';
import { deviceId, filterCovers, notificationTopic } from './topics.js';

/** Filters of one session: a device needs some twenty [protocol: connect]. */
const SUBSCRIPTIONS_MAX = 100;

/** What a device may leave unread, and what becomes of it then; the same object for all connections. */
export interface OutgoingLimits {
  readonly queuedBytesMax: number;
  readonly inFlightMax: number;
  readonly tooSlow: (connection: Connection, detail: string) => void;
}

export interface Message {
  readonly topic: string;
  readonly payload: string;
}

const DONE: Promise<void> = Promise.resolve();

/**
 * One connection of a signed-in device. Most of a fleet is idle most of the time: what only a busy connection needs is
 * made when it is needed, since 10,000 of each cost megabytes (bench 5).
 */
export class Connection {
  readonly id = randomUUID();
  /** What the session, and everything else that is the device's, is keyed by. */
  readonly deviceId: string;
  #filters: Map<string, 0 | 1> | undefined;
  #ended: AbortController | undefined;
  #hasEnded = false;
  #inFlight = 0;
  /** A message is being handled, or nothing may be yet: the session is not in place. */
  #isBusy = true;
  #waiting: (() => Promise<void>)[] | undefined;
  #settled: (() => void)[] | undefined;
  #presence = DONE;
  /** The session is in place. */
  isAdmitted = false;
  /** The device's being online was passed on. */
  announced = false;
  #timesOnline = 0;
  /** It is subscribed by its session only, and has done nothing on this connection yet. */
  #isRestoredOnly = false;

  constructor(
    readonly client: Client,
    readonly device: DeviceKey,
    /** All downstream topics count as subscribed [protocol: `_ss=1`]. */
    private readonly systemSubscribed: boolean,
    private readonly limits: OutgoingLimits,
  ) {
    this.deviceId = deviceId(device);
  }

  /**
   * The session is in place: what the device has sent meanwhile is handled from now on.
   *
   * @param earlier resolves when what the device has sent on its earlier connections is handled: until then this
   *   connection's messages wait, or an old report would overwrite a new one
   */
  admit(earlier?: Promise<void>): void {
    this.isAdmitted = true;
    if (earlier) void earlier.then(() => this.#next());
    else this.#next();
  }

  /** Another one each time that the device becomes reachable. */
  get onlineId(): string {
    return this.#timesOnline < 2 ? this.id : `${this.id}/${this.#timesOnline}`;
  }

  /** The device's being online is passed on. */
  announce(): void {
    this.announced = true;
    this.#timesOnline++;
  }

  /**
   * The device has subscribed to its notifications earlier, in a session that was kept. SDKs are ready for them only
   * after their own SUBSCRIBE or first message: until then they acknowledge what comes, and drop it.
   */
  get isRestoredOnly(): boolean {
    return this.#isRestoredOnly && !this.systemSubscribed;
  }

  /** The device is ready: it has sent something, or has had time enough. */
  ready(): void {
    this.#isRestoredOnly = false;
  }

  /** @param presence resolves when the records know of the connection, or can't now; not kept longer */
  arrives(presence: Promise<void>): void {
    this.#presence = presence.then(() => {
      this.#presence = DONE;
    });
  }

  /** Resolves when the records know of the connection, or can't now. */
  get presence(): Promise<void> {
    return this.#presence;
  }

  /** Aborted when the connection has ended. */
  get ended(): AbortSignal {
    this.#ended ??= new AbortController();
    if (this.#hasEnded) this.#ended.abort();
    return this.#ended.signal;
  }

  end(): void {
    this.#hasEnded = true;
    this.#ended?.abort();
  }

  get isOpen(): boolean {
    return !this.client.closed && !this.#hasEnded;
  }

  /** Connected, subscribed to its notifications, and ready for them. */
  get isReachable(): boolean {
    const isSubscribed = this.#grantedQos(notificationTopic(this.device)) !== undefined;
    return this.isOpen && isSubscribed && !this.isRestoredOnly;
  }

  mayAddFilter(filter: string): boolean {
    return !this.#filters || this.#filters.has(filter) || this.#filters.size < SUBSCRIPTIONS_MAX;
  }

  addFilter(filter: string, qos: number): void {
    // The session's come before it is in place.
    if (!this.isAdmitted) this.#isRestoredOnly = true;
    else if (this.#isRestoredOnly && filterCovers(filter, notificationTopic(this.device))) this.ready();
    (this.#filters ??= new Map()).set(filter, qos === 0 ? 0 : 1);
  }

  removeFilter(filter: string): void {
    this.#filters?.delete(filter);
  }

  /**
   * Runs what a message of the device causes after what its earlier ones caused: a report must not overtake another.
   * The queue is as long as one read of the socket: no more is read until all of it is answered. There is none where a
   * message comes alone, and no promise of its own, since every message comes this way.
   *
   * @param run tells itself of what goes wrong: the next one's turn comes all the same
   */
  inTurn(run: () => Promise<void>): void {
    if (this.#isBusy) (this.#waiting ??= []).push(run);
    else this.#start(run);
  }

  #start(run: () => Promise<void>): void {
    this.#isBusy = true;
    const next = () => this.#next();
    run().then(next, next);
  }

  #next(): void {
    const run = this.#waiting?.shift();
    if (run) {
      this.#start(run);
      return;
    }
    this.#isBusy = false;
    this.#waiting = undefined;
    const settled = this.#settled;
    this.#settled = undefined;
    for (const resolve of settled ?? []) resolve();
  }

  /** Resolves when nothing of the device is under way any more. */
  async settled(): Promise<void> {
    if (this.#isBusy) await new Promise<void>((resolve) => (this.#settled ??= []).push(resolve));
    await this.#presence;
  }

  /** Sends a message if the device is subscribed to its topic, with the quality asked for, or the one granted. */
  async send({ topic, payload }: Message, qosWanted: 0 | 1): Promise<boolean> {
    const granted = this.#grantedQos(topic);
    if (granted === undefined || !this.isOpen) return false;
    if (this.#isTooSlow()) return false;
    const qos = Math.min(granted, qosWanted) as 0 | 1;
    if (qos === 1) this.#inFlight++;
    await new Promise<void>((resolve) => {
      const packet = { cmd: 'publish', topic, payload, qos, retain: false, dup: false } as const;
      this.client.publish(packet, () => resolve());
    });
    return this.isOpen;
  }

  /**
   * Acknowledges a message of the device [MQTT-3.4].
   *
   * @returns false when its socket is behind or gone: nothing was written
   */
  wrotePuback(messageId: number): boolean {
    const socket = this.client.conn as Socket;
    if (!this.isOpen || !socket.writable || socket.writableLength > 0) return false;
    const packet = Buffer.allocUnsafe(4); // of Node's pool: one of its own would cost more than the write
    packet[0] = 0x40;
    packet[1] = 2;
    packet.writeUInt16BE(messageId, 2);
    socket.write(packet);
    return true;
  }

  /** The device has acknowledged a message. */
  acknowledged(): void {
    this.#inFlight = Math.max(0, this.#inFlight - 1);
  }

  /** What a device does not take must not pile up here. */
  #isTooSlow(): boolean {
    const { queuedBytesMax, inFlightMax, tooSlow } = this.limits;
    const queuedBytes = (this.client.conn as Socket).writableLength;
    if (queuedBytes <= queuedBytesMax && this.#inFlight < inFlightMax) return false;
    tooSlow(this, `${queuedBytes} bytes unread, ${this.#inFlight} messages unacknowledged`);
    return true;
  }

  #grantedQos(topic: string): 0 | 1 | undefined {
    if (this.systemSubscribed) return 1;
    const exact = this.#filters?.get(topic);
    if (exact !== undefined || !this.#filters) return exact;
    const covering = [...this.#filters].filter(([filter]) => filterCovers(filter, topic)).map(([, qos]) => qos);
    return covering.length === 0 ? undefined : covering.includes(1) ? 1 : 0;
  }
}
