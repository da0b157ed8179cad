import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Aedes, type Client, type PublishPacket, type Subscription } from 'aedes';
import { writeToStream } from 'mqtt-packet';
import type { Logger } from 'pino';
import type { DeviceKey } from '../domain/ids.js';
import type { Records } from '../records/records.js';
import { Arrivals, isGone } from './arrivals.js';
import type { Connection, Message, OutgoingLimits } from './connection.js';
import { Crowd } from '../domain/crowd.js';
import { answerUnknownProtocols, UNACCEPTABLE_VERSION } from './unknown-protocols.js';
import type { DeviceLink } from './device-link.js';
import type { Gateway, Uplink } from './gateway.js';
import type { Irregularity } from './irregularities.js';
import { DEFAULT_BROKER_LIMITS, type BrokerLimits } from './limits.js';
import { addressOf, plainListener, secureListener, type Listener, type TlsContext } from './listeners.js';
import type { BrokerMetrics } from './metrics.js';
import { PacketWatch } from './packet-limit.js';
import { NameClashes } from './name-clashes.js';
import { Paces } from './pace.js';
import { Presence } from './presence.js';
import { SessionStore } from './session-store.js';
import { deviceId, isSameDevice, notificationTopic, ownerOf } from './topics.js';

export interface EmbeddedBrokerOptions {
  readonly host: string;
  /** 0 is any free port; null: there is none without TLS. */
  readonly port: number | null;
  /** Devices connect by TLS too. */
  readonly tls?: BrokerTls | undefined;
  readonly records: Pick<Records, 'deviceSecret' | 'signInRefused' | 'nameClashed' | 'allDevicesDisconnected'>;
  readonly gateway: Gateway;
  readonly metrics: Pick<BrokerMetrics, 'connections' | 'signInsRefused'>;
  readonly log: Pick<Logger, 'warn'>;
  readonly limits?: Partial<BrokerLimits> | undefined;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

export interface BrokerTls {
  /** 0 is any free port. */
  readonly port: number;
  readonly context: TlsContext;
  /** `required`: a device connects only with a certificate that names it. `optional`: a certificate, if shown, must name it. */
  readonly clientCertificates: 'none' | 'optional' | 'required';
}

export interface EmbeddedBroker {
  /** The port that it listens on without TLS, and with. */
  readonly port: number | null;
  readonly tlsPort: number | null;
  readonly link: DeviceLink;
  /** Devices can connect. */
  readonly isListening: boolean;
  /** Ends all connections; resolves when no report is under way any more and the devices count as offline. */
  close(): Promise<void>;
}

/**
 * Serves devices over MQTT 3.1 and 3.1.1 on a TCP port.
 *
 * @throws Error naming port, variable and remedy, if the port can't be listened on
 */
export async function startEmbeddedBroker(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
  const broker = new DeviceBroker(options);
  await broker.listen();
  return broker;
}

/** A vanished device's socket is found dead by the system, whatever keep-alive it asked for. */
const TCP_KEEP_ALIVE_MS = 60_000;
/** A device that does not take what is sent to it is dropped. */
const DRAIN_TIMEOUT_MS = 30_000;
/** Messages of quality 2 that a device may have half-done; the SDKs use none. */
const INBOUND_QOS2_MAX = 16;
/** What is left of a message for aedes, which stores those of quality 2 until their release. */
const CONSUMED_TOPIC = '$SYS/ferry/consumed';
const NOTHING = Buffer.alloc(0);

// All numbers of two bytes as buffers: 7 MB for as long as the process lives, to save what can't be measured (bench 5).
writeToStream.cacheNumbers = false;

class DeviceBroker implements EmbeddedBroker {
  readonly link: DeviceLink;
  readonly #aedes: Aedes;
  readonly #limits: BrokerLimits;
  #sessions: SessionStore | undefined;
  readonly #now: () => number;
  readonly #paces: Paces;
  readonly #plain: Listener | null;
  readonly #secure: Listener | null;
  readonly #clients = new Map<Socket, Client>();
  readonly #packets: PacketWatch;
  readonly #arrivals: Arrivals;
  /** The present connection of each device that is signed in. */
  readonly #connections = new Map<string, Connection>();
  /** Ended connections whose last words are still being handled. */
  readonly #departing = new Set<Promise<void>>();
  /** By device, the latest of those. */
  readonly #departures = new Map<string, Promise<void>>();
  readonly #presence: Presence;
  readonly #nameClashes: NameClashes;

  constructor(private readonly options: EmbeddedBrokerOptions) {
    this.#limits = { ...DEFAULT_BROKER_LIMITS, ...options.limits };
    this.#now = options.now ?? Date.now;
    const { irregularities } = options.gateway;
    const outgoing: OutgoingLimits = {
      ...this.#limits,
      tooSlow: ({ deviceId, client }, detail) => {
        irregularities.note('slow-reader', deviceId, detail);
        client.conn.destroy();
      },
    };
    this.#arrivals = new Arrivals({ ...options, irregularities, limits: this.#limits, outgoing, now: this.#now });
    this.#nameClashes = new NameClashes({ ...options, irregularities, now: this.#now });
    this.#presence = new Presence({ ...options, presentOf: (id) => this.#connections.get(id) });
    this.#paces = new Paces(this.#limits.messagesPerSecond);
    this.#aedes = new Aedes({
      connectTimeout: this.#limits.connectTimeoutMs,
      drainTimeout: DRAIN_TIMEOUT_MS,
      maxInflightInbound: INBOUND_QOS2_MAX,
      maxClientsIdLength: Number.MAX_SAFE_INTEGER, // sessions are keyed by the device, in MQTT 3.1 too
      preConnect: (client, packet, done) => {
        this.#arrivals.identify(client, packet).then(
          (isThere) => done(null, isThere),
          (error: unknown) => {
            // Nobody who connects may end the process, whatever was overlooked.
            options.log.warn({ error: String(error) }, 'who connects could not be told');
            done(new Error('not identified', { cause: error }), false);
          },
        );
      },
      authenticate: (client, _username, _password, done) => {
        const refusal = this.#arrivals.refusalOf(client);
        if (refusal) done(refusal, null);
        else {
          this.#noteTakeOver(client);
          done(null, true);
        }
      },
      authorizePublish: (client, packet, done) => this.#publish(client, packet, done),
      authorizeSubscribe: (client, subscription, done) => done(null, this.#grant(client, subscription)),
      // Only what this class sends, and nothing stored for a session: a notification of yesterday has an expired URL,
      // perhaps an ended update; the run notifies anew when the device comes online.
      authorizeForward: (client, packet) => (client.connected && !('clientId' in packet) ? packet : null),
    });
    // Nothing is routed: uplinks end in the gateway, wills too, and nobody may subscribe to what aedes says itself.
    this.#aedes.publish = (...[, clientOrDone, done]: readonly unknown[]) => ((done ?? clientOrDone) as () => void)();
    // aedes's own, which its types leave out: without a listener it would end the process.
    (this.#aedes as EventEmitter).on('error', (error: unknown) => {
      options.log.warn({ error: String(error) }, 'MQTT broker error');
    });
    this.#aedes.on('clientReady', (client) => this.#admit(client));
    this.#aedes.on('subscribe', (_subscriptions, client) => this.#subscribed(client));
    this.#aedes.on('unsubscribe', (filters, client) => this.#unsubscribed(client, filters));
    this.#aedes.on('clientError', (client, error) => this.#broken(client, error));
    this.#aedes.on('connectionError', (client, error) => this.#broken(client, error));
    this.#aedes.on('ack', (_packet, client) => this.#arrivals.connectionOf(client)?.acknowledged());
    const { host, port, tls } = options;
    const crowd = new Crowd(this.#limits);
    this.#packets = new PacketWatch(this.#limits, (socket) => {
      const client = this.#clients.get(socket);
      if (client) this.#note('packet-too-large', client);
      socket.destroy();
    });
    const open = {
      ...{ host, log: options.log },
      enters: (socket: Socket) => {
        if (crowd.enters(addressOf(socket))) return true;
        irregularities.note('too-many-connections', addressOf(socket));
        socket.destroy();
        return false;
      },
      // Its address is known also when it has closed, since it was asked for before.
      left: (socket: Socket) => crowd.left(addressOf(socket)),
      accept: (socket: Socket) => this.#accept(socket),
      ended: (socket: Socket) => this.#ended(socket),
    };
    this.#plain = port === null ? null : plainListener({ ...open, port });
    this.#secure = tls ? secureListener({ ...open, ...tls }) : null;
    this.link = {
      isReachable: (device) => this.#connections.get(deviceId(device))?.isReachable ?? false,
      publishNotification: async (device, payload) => {
        const connection = this.#connections.get(deviceId(device));
        return connection?.isReachable ? connection.send({ topic: notificationTopic(device), payload }, 1) : false;
      },
      onlineId: (device) => {
        const connection = this.#connections.get(deviceId(device));
        return connection?.isReachable ? connection.onlineId : undefined;
      },
      cutOff: (device) => this.#cutOff(device),
    };
  }

  get isListening(): boolean {
    return this.#listeners.every((listener) => listener.isListening);
  }

  get port(): number | null {
    return this.#plain?.port ?? null;
  }

  get tlsPort(): number | null {
    return this.#secure?.port ?? null;
  }

  get #listeners(): Listener[] {
    return [this.#plain, this.#secure].filter((listener) => listener !== null);
  }

  async listen(): Promise<void> {
    await this.options.records.allDevicesDisconnected();
    await this.#aedes.listen();
    this.#sessions = new SessionStore(this.#aedes);
    try {
      for (const listener of this.#listeners) await listener.listen();
    } catch (error) {
      await Promise.all(this.#listeners.map((listener) => listener.close()));
      await this.#closeAedes();
      throw error;
    }
  }

  async close(): Promise<void> {
    const closed = Promise.all(this.#listeners.map((listener) => listener.close()));
    await Promise.all([...this.#clients.keys()].map(end));
    await closed;
    await Promise.all(this.#departing);
    await this.#presence.stop();
    await this.#closeAedes();
  }

  #closeAedes(): Promise<void> {
    return new Promise((resolve) => this.#aedes.close(resolve));
  }

  #accept(socket: Socket): void {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    const client = this.#aedes.handle(socket);
    this.#clients.set(socket, client);
    answerUnknownProtocols(client, socket);
    this.#packets.begin(socket);
  }

  /** aedes's own event is lost when a take-over crosses a close. */
  #ended(socket: Socket): void {
    const client = this.#clients.get(socket);
    if (!client) return;
    this.#clients.delete(socket);
    this.#arrivals.over(client);
    const connection = this.#arrivals.connectionOf(client);
    if (connection?.isAdmitted) this.#depart(connection);
  }

  // ── connections ───────────────────────────────────────────────────────────────────────────────

  /** The device has its CONNACK, and its session's subscriptions are restored. */
  #admit(client: Client): void {
    this.#arrivals.over(client);
    const connection = this.#arrivals.connectionOf(client);
    if (!connection || isGone(client)) return;
    const earlier = this.#takeOver(connection);
    this.#connections.set(connection.deviceId, connection);
    connection.admit(earlier);
    this.options.metrics.connections.inc();
    connection.arrives(this.#presence.connected(connection));
    this.#announce(connection);
    if (connection.isRestoredOnly) this.#announceLater(connection);
  }

  /** While the earlier connection is still open: aedes ends it before it lets the new one in. */
  #noteTakeOver(client: Client): void {
    const connection = this.#arrivals.connectionOf(client);
    const before = connection && this.#connections.get(connection.deviceId);
    if (!connection || !before?.isOpen) return;
    const addresses = [before.client, client].map(({ conn }) => addressOf(conn as Socket));
    this.#nameClashes.tookOver(connection.device, addresses);
  }

  /** @returns resolves when all that the device has sent on earlier connections is handled; undefined: it is */
  #takeOver({ deviceId: id }: Connection): Promise<void> | undefined {
    const before = this.#connections.get(id);
    const departure = this.#departures.get(id);
    if (!before) return departure;
    // aedes takes over too [MQTT-3.1.4-2], but loses count when two connections cross.
    before.client.close();
    return Promise.all([before.settled(), departure]).then(() => undefined);
  }

  /** A device that sleeps again at once says nothing at all; one that waits for its update without a word gets it. */
  #announceLater(connection: Connection): void {
    setTimeout(() => {
      connection.ready();
      this.#announce(connection);
    }, this.#limits.restoredSessionMs).unref();
  }

  #depart(connection: Connection): void {
    connection.end();
    this.#paces.left(connection.deviceId, this.#now());
    this.options.metrics.connections.dec();
    if (this.#connections.get(connection.deviceId) === connection) this.#connections.delete(connection.deviceId);
    const departure = connection
      .settled()
      .then(() => this.#presence.disconnected(connection))
      .finally(() => {
        this.#departing.delete(departure);
        if (this.#departures.get(connection.deviceId) === departure) this.#departures.delete(connection.deviceId);
      });
    this.#departing.add(departure);
    this.#departures.set(connection.deviceId, departure);
  }

  /**
   * Its connection, its subscriptions and its will go; nothing is retained for anybody. Whoever is just being let in for
   * it goes too: he may have been checked by the secret that is good no more.
   */
  async #cutOff(device: DeviceKey): Promise<void> {
    const id = deviceId(device);
    const clients = this.#arrivals.distrust(id);
    const connection = this.#connections.get(id);
    connection?.end();
    if (connection) clients.push(connection.client);
    for (const client of clients) Object.assign(client, { will: null });
    await Promise.all(clients.map(({ conn }) => end(conn as Socket)));
    await this.#sessions?.forget(id);
  }

  /** Once each time that the device becomes reachable, after the records know that it is connected, if they can. */
  #announce(connection: Connection): void {
    if (connection.announced || !connection.isReachable) return;
    connection.announce();
    void connection.presence.then(() => this.options.gateway.deviceOnline(connection));
  }

  #broken(client: Client, error: Error): void {
    const isOtherVersion = 'errorCode' in error && error.errorCode === UNACCEPTABLE_VERSION;
    if (('errorCode' in error && !isOtherVersion) || error instanceof Unacknowledged) return; // counted already
    this.#note('protocol-error', client, error.message);
  }

  #note(kind: Irregularity, client: Client, detail?: string): void {
    const connection = this.#arrivals.connectionOf(client);
    const address = addressOf(client.conn as Socket);
    this.options.gateway.irregularities.note(kind, connection?.deviceId ?? address, detail);
  }

  // ── messages and subscriptions ────────────────────────────────────────────────────────────────

  /** aedes acknowledges when `done` is called without an error; with one, it closes the connection. */
  #publish(client: Client | null, packet: PublishPacket, done: (error?: Error | null) => void): void {
    const connection = client && this.#arrivals.connectionOf(client);
    if (!connection) return done(new Error('not signed in'));
    const uplink = { topic: packet.topic, payload: packet.payload as Buffer };
    if (packet.retain) {
      this.options.gateway.irregularities.note('retained', connection.deviceId, packet.topic);
    }
    packet.topic = CONSUMED_TOPIC;
    packet.payload = NOTHING;
    packet.retain = false;
    if (connection.isRestoredOnly) {
      connection.ready();
      this.#announce(connection);
    }
    connection.inTurn(() =>
      this.#receive(connection, uplink).then(
        (answers) => this.#unbroken(connection, () => this.#acknowledge(connection, packet, answers, done)),
        (error: unknown) => this.#unbroken(connection, () => this.#refuse(connection, error, done)),
      ),
    );
  }

  /** Never throws: what is thrown comes as a rejection. */
  #receive(connection: Connection, uplink: Uplink): Promise<readonly Message[]> {
    const { device } = connection;
    try {
      const nowMs = this.#now();
      const waitMs = this.#paces.of(connection.deviceId, nowMs).waitMs(nowMs);
      if (waitMs === 0) return this.options.gateway.received(device, uplink);
      return this.#keepPace(connection, waitMs).then(() => this.options.gateway.received(device, uplink));
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** The device's next message waits for the end of this one, however it ends. */
  #unbroken(connection: Connection, end: () => void): void {
    try {
      end();
    } catch (error) {
      this.options.log.warn({ error: String(error) }, 'an answer could not be sent');
      connection.client.close();
    }
  }

  #acknowledge(
    connection: Connection,
    packet: PublishPacket,
    answers: readonly Message[],
    done: (error?: Error | null) => void,
  ): void {
    // aedes writes the acknowledgement of what is left at quality 1: in four pieces, where one does.
    if (packet.qos === 1 && connection.wrotePuback(packet.messageId ?? 0)) packet.qos = 0;
    done(null);
    for (const answer of answers) void connection.send(answer, 0);
  }

  #refuse(connection: Connection, error: unknown, done: (error?: Error | null) => void): void {
    this.options.gateway.irregularities.note('unacknowledged', connection.deviceId, String(error));
    done(new Unacknowledged('not durable, not acknowledged'));
  }

  /**
   * A hasty device waits, and with it its socket. What waits is dropped only when the connection ends: at quality 1 the
   * device sends it again.
   */
  async #keepPace(connection: Connection, waitMs: number): Promise<void> {
    this.options.gateway.irregularities.note('too-fast', connection.deviceId);
    await sleep(waitMs, undefined, { signal: connection.ended }).catch(() => undefined);
    if (connection.ended.aborted) throw new Error('gone while it was waiting');
  }

  /** Default deny: null becomes return code 128, and the connection lives on [protocol: connect, Node and C 3]. */
  #grant(client: Client, subscription: Subscription): Subscription | null {
    const connection = this.#arrivals.connectionOf(client);
    if (!connection) return null;
    const owner = ownerOf(subscription.topic);
    const isOwn = owner !== undefined && isSameDevice(owner, connection.device);
    if (isOwn && connection.mayAddFilter(subscription.topic)) {
      // At once: the next filter of the same packet is counted on top of it.
      connection.addFilter(subscription.topic, subscription.qos);
      if (!client.clean) this.#sessions?.keep(client.id, subscription);
      return subscription;
    }
    const kind = isOwn ? 'too-many-subscriptions' : 'foreign-subscription';
    this.options.gateway.irregularities.note(kind, connection.deviceId, subscription.topic);
    return null;
  }

  #subscribed(client: Client): void {
    const connection = this.#arrivals.connectionOf(client);
    if (connection && client.connected) this.#announce(connection);
  }

  #unsubscribed(client: Client, filters: readonly string[]): void {
    const connection = this.#arrivals.connectionOf(client);
    if (!connection) return;
    for (const filter of filters) connection.removeFilter(filter);
    connection.announced &&= connection.isReachable;
  }
}

/** A report that is not durable: the connection closes without an acknowledgement. */
class Unacknowledged extends Error {
  override readonly name = 'Unacknowledged';
}

/** Resolves after every other listener to the socket's end has run. */
const end = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.once('close', () => resolve());
    socket.destroy();
  });
