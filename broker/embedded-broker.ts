import { randomUUID } from 'node:crypto';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Aedes, type AuthenticateError, type Client, type PublishPacket, type Subscription } from 'aedes';
import type { Logger } from 'pino';
import type { DeviceKey } from '../domain/ids.js';
import type { Records } from '../records/records.js';
import { Connection } from './connection.js';
import type { DeviceLink } from './device-link.js';
import type { Gateway } from './gateway.js';
import type { BrokerMetrics } from './metrics.js';
import { DEFAULT_PACKET_LIMIT, limitPackets, type PacketLimit } from './packet-limit.js';
import { storeOwnSubscriptionsOnly } from './session-store.js';
import { isAuthentic, parseSignIn, type SignIn } from './sign-in.js';
import { deviceId, isSameDevice, notificationTopic, ownerOf } from './topics.js';

type ConnectPacket = Parameters<Aedes['preConnect']>[1];

export interface EmbeddedBrokerOptions {
  readonly host: string;
  /** 0 is any free port. */
  readonly port: number;
  readonly records: Pick<Records, 'deviceSecret' | 'allDevicesDisconnected'>;
  readonly gateway: Gateway;
  readonly metrics: Pick<BrokerMetrics, 'connections'>;
  readonly log: Pick<Logger, 'warn'>;
  /** How long a socket may stay open without a CONNECT; 10 s by default. */
  readonly connectTimeoutMs?: number;
  readonly packetLimit?: PacketLimit;
}

export interface EmbeddedBroker {
  /** The port that it listens on. */
  readonly port: number;
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

const CONNECT_TIMEOUT_MS = 10_000;
/** A vanished device's socket is found dead by the system, whatever keep-alive it asked for. */
const TCP_KEEP_ALIVE_MS = 60_000;
/** A device that does not take what is sent to it is dropped. */
const DRAIN_TIMEOUT_MS = 30_000;
/** Messages of quality 2 that a device may have half-done; the SDKs use none. */
const INBOUND_QOS2_MAX = 16;
/** [MQTT-3.2.2] */
const ReturnCode = { SERVER_UNAVAILABLE: 3, BAD_CREDENTIALS: 4 } as const;

/** Devices' messages end in the gateway: aedes routes them to where nobody can subscribe. */
const CONSUMED_TOPIC = '$SYS/ferry/consumed';
const NOTHING = Buffer.alloc(0);

/** What is known of a CONNECT between its parsing and its answer. */
type Verdict = { readonly connection: Connection } | { readonly returnCode: number };

class DeviceBroker implements EmbeddedBroker {
  readonly link: DeviceLink;
  readonly #aedes: Aedes;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #verdicts = new WeakMap<Client, Verdict>();
  /** The present connection of each device that is signed in. */
  readonly #connections = new Map<string, Connection>();
  /** Ended connections whose last words are still being handled. */
  readonly #departing = new Set<Promise<void>>();

  constructor(private readonly options: EmbeddedBrokerOptions) {
    this.#aedes = new Aedes({
      connectTimeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      drainTimeout: DRAIN_TIMEOUT_MS,
      maxInflightInbound: INBOUND_QOS2_MAX,
      maxClientsIdLength: Number.MAX_SAFE_INTEGER, // sessions are keyed by the device, in MQTT 3.1 too
      preConnect: (client, packet, done) => {
        void this.#identify(client, packet).then(() => done(null, true));
      },
      authenticate: (client, _username, _password, done) => {
        const verdict = this.#verdicts.get(client);
        if (verdict && 'connection' in verdict) done(null, true);
        else done(refusal(verdict?.returnCode ?? ReturnCode.BAD_CREDENTIALS), null);
      },
      authorizePublish: (client, packet, done) => this.#publish(client, packet, done),
      authorizeSubscribe: (client, subscription, done) => done(null, this.#grant(client, subscription)),
      // Only what this class sends, and nothing stored for a session: a notification of yesterday has an expired URL,
      // perhaps an ended update; the run notifies anew when the device comes online.
      authorizeForward: (client, packet) => (client.connected && !('clientId' in packet) ? packet : null),
    });
    this.#aedes.on('clientReady', (client) => this.#admit(client));
    this.#aedes.on('subscribe', (subscriptions, client) => this.#subscribed(client, subscriptions));
    this.#aedes.on('unsubscribe', (filters, client) => this.#unsubscribed(client, filters));
    this.#aedes.on('clientError', (client, error) => this.#broken(client, error));
    this.#aedes.on('connectionError', (client, error) => this.#broken(client, error));
    this.#server = createServer((socket) => this.#accept(socket));
    this.link = {
      isReachable: (device) => this.#connections.get(deviceId(device))?.isReachable ?? false,
      publishNotification: async (device, payload) => {
        const connection = this.#connections.get(deviceId(device));
        return connection ? connection.send({ topic: notificationTopic(device), payload }, 1) : false;
      },
    };
  }

  get isListening(): boolean {
    return this.#server.listening;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async listen(): Promise<void> {
    const { host, port, records } = this.options;
    await records.allDevicesDisconnected();
    await this.#aedes.listen();
    storeOwnSubscriptionsOnly(this.#aedes);
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => reject(portError(error, host, port)));
      this.#server.listen({ host, port }, resolve);
    }).catch(async (error: unknown) => {
      await this.#closeAedes();
      throw error;
    });
    this.#server.removeAllListeners('error');
    this.#server.on('error', (error) => this.options.log.warn({ error: error.message }, 'MQTT server error'));
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    await Promise.all([...this.#sockets].map(end));
    await closed;
    await Promise.all(this.#departing);
    await this.#closeAedes();
  }

  #closeAedes(): Promise<void> {
    return new Promise((resolve) => this.#aedes.close(resolve));
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.setNoDelay(true);
    socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    const client = this.#aedes.handle(socket);
    limitPackets(socket, this.options.packetLimit ?? DEFAULT_PACKET_LIMIT, () => {
      this.#note('packet-too-large', client);
      socket.destroy();
    });
  }

  // ── sign-in ───────────────────────────────────────────────────────────────────────────────────

  /**
   * Checks who connects, and makes the device's name the client id: sessions and take-over are keyed by the device,
   * since some SDKs use another client id at each connection [protocol: connect]. Whoever fails gets a random id and
   * touches nobody's session. Never rejects.
   */
  async #identify(client: Client, packet: ConnectPacket): Promise<void> {
    const credentials = { ...packet, username: packet.username, password: packet.password?.toString('latin1') };
    const signIn = parseSignIn(credentials);
    const returnCode = signIn ? await this.#check(signIn) : ReturnCode.BAD_CREDENTIALS;
    if (!signIn || returnCode !== undefined) {
      packet.clientId = `refused/${randomUUID()}`;
      delete packet.will;
      this.#verdicts.set(client, { returnCode: returnCode ?? ReturnCode.BAD_CREDENTIALS });
      this.#note('sign-in-refused', client, packet.username);
      return;
    }
    packet.clientId = deviceId(signIn.device);
    this.#restrainWill(signIn.device, packet);
    const connection = new Connection(client, signIn.device, signIn.systemSubscribes);
    this.#verdicts.set(client, { connection });
  }

  /** The return code of a refusal: the same for a wrong secret and for a device that does not exist. */
  async #check(signIn: SignIn): Promise<number | undefined> {
    try {
      const secret = await this.options.records.deviceSecret(signIn.device);
      return isAuthentic(signIn, secret) ? undefined : ReturnCode.BAD_CREDENTIALS;
    } catch (error) {
      this.options.log.warn({ error: String(error) }, 'sign-in could not be checked');
      return ReturnCode.SERVER_UNAVAILABLE;
    }
  }

  /** A will speaks for its device only, and is never retained. */
  #restrainWill(device: DeviceKey, packet: ConnectPacket): void {
    if (!packet.will) return;
    const owner = ownerOf(packet.will.topic);
    if (owner && isSameDevice(owner, device)) {
      packet.will.retain = false;
      return;
    }
    this.options.gateway.irregularities.note('foreign-will', deviceId(device), packet.will.topic);
    delete packet.will;
  }

  // ── connections ───────────────────────────────────────────────────────────────────────────────

  #connectionOf(client: Client): Connection | undefined {
    const verdict = this.#verdicts.get(client);
    return verdict && 'connection' in verdict ? verdict.connection : undefined;
  }

  /** The device has its CONNACK, and its session's subscriptions are restored. */
  #admit(client: Client): void {
    const connection = this.#connectionOf(client);
    if (!connection || client.closed || client.conn.destroyed) return;
    const { device } = connection;
    // aedes takes over too [MQTT-3.1.4-2], but loses count when two connections cross.
    this.#connections.get(deviceId(device))?.client.close();
    this.#connections.set(deviceId(device), connection);
    connection.admit();
    this.options.metrics.connections.inc();
    // aedes's own event is lost when a take-over crosses a close.
    client.conn.once('close', () => this.#depart(connection));
    connection.presence = this.options.gateway.deviceConnected(device, connection.id);
    connection.presence.catch((error: unknown) => this.#presenceLost(error));
    this.#announce(connection);
  }

  #depart(connection: Connection): void {
    const { device, id } = connection;
    connection.end();
    this.options.metrics.connections.dec();
    if (this.#connections.get(deviceId(device)) === connection) this.#connections.delete(deviceId(device));
    const departure = connection
      .settled()
      .then(() => this.options.gateway.deviceDisconnected(device, id))
      .catch((error: unknown) => this.#presenceLost(error))
      .finally(() => this.#departing.delete(departure));
    this.#departing.add(departure);
  }

  #presenceLost(error: unknown): void {
    this.options.log.warn({ error: String(error) }, 'presence could not be recorded');
  }

  /** Once each time that the device becomes reachable, after the records know that it is connected. */
  #announce(connection: Connection): void {
    if (connection.announced || !connection.isReachable) return;
    connection.announced = true;
    const { device, ended, presence } = connection;
    void presence.catch(() => undefined).then(() => this.options.gateway.deviceOnline(device, ended));
  }

  #broken(client: Client, error: Error): void {
    if ('errorCode' in error || error instanceof Unacknowledged) return; // counted already
    this.#note('protocol-error', client, error.message);
  }

  #note(kind: 'sign-in-refused' | 'packet-too-large' | 'protocol-error', client: Client, detail?: string): void {
    const connection = this.#connectionOf(client);
    const address = (client.conn as Socket).remoteAddress ?? 'unknown address';
    this.options.gateway.irregularities.note(kind, connection ? deviceId(connection.device) : address, detail);
  }

  // ── messages and subscriptions ────────────────────────────────────────────────────────────────

  /** aedes acknowledges when `done` is called without an error; with one, it closes the connection. */
  #publish(client: Client | null, packet: PublishPacket, done: (error?: Error | null) => void): void {
    const connection = client && this.#connectionOf(client);
    if (!connection) return done(new Error('not signed in'));
    const { gateway } = this.options;
    const uplink = { topic: packet.topic, payload: Buffer.from(packet.payload) };
    if (packet.retain) gateway.irregularities.note('retained', deviceId(connection.device), packet.topic);
    Object.assign(packet, { topic: CONSUMED_TOPIC, payload: NOTHING, retain: false });
    void connection
      .inTurn(() => gateway.received(connection.device, uplink))
      .then(
        (answers) => {
          done(null);
          for (const answer of answers) void connection.send(answer, 0);
        },
        (error: unknown) => {
          gateway.irregularities.note('unacknowledged', deviceId(connection.device), String(error));
          done(new Unacknowledged('not durable, not acknowledged'));
        },
      )
      .catch((error: unknown) => {
        this.options.log.warn({ error: String(error) }, 'an answer could not be sent');
        client.close();
      });
  }

  /** Default deny: null becomes return code 128, and the connection lives on [protocol: connect, Node and C 3]. */
  #grant(client: Client, subscription: Subscription): Subscription | null {
    const connection = this.#connectionOf(client);
    if (!connection) return null;
    const owner = ownerOf(subscription.topic);
    if (owner && isSameDevice(owner, connection.device) && connection.mayAddFilter(subscription.topic)) {
      if (!client.connected) connection.addFilter(subscription.topic, subscription.qos); // restored with its session
      return subscription;
    }
    this.options.gateway.irregularities.note('foreign-subscription', deviceId(connection.device), subscription.topic);
    return null;
  }

  #subscribed(client: Client, subscriptions: readonly Subscription[]): void {
    const connection = this.#connectionOf(client);
    if (!connection) return;
    for (const { topic, qos } of subscriptions) if ((qos as number) !== 128) connection.addFilter(topic, qos);
    if (client.connected) this.#announce(connection);
  }

  #unsubscribed(client: Client, filters: readonly string[]): void {
    const connection = this.#connectionOf(client);
    if (!connection) return;
    for (const filter of filters) connection.removeFilter(filter);
    connection.announced &&= connection.isReachable;
  }
}

/** A report that is not durable: the connection closes without an acknowledgement. */
class Unacknowledged extends Error {
  override readonly name = 'Unacknowledged';
}

/** aedes's type of the code is an enum that exists in types only. */
const refusal = (returnCode: number): AuthenticateError =>
  Object.assign(new Error('sign-in refused'), { returnCode } as unknown as AuthenticateError);

function portError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const problem =
    error.code === 'EADDRINUSE'
      ? `port ${port} on ${host} is in use`
      : `can't listen on ${host}:${port} (${error.code})`;
  return new Error(`The MQTT broker can't start: ${problem}. Set FERRY_MQTT_PORT to a free port, or to 0 for any.`);
}

/** Resolves after every other listener to the socket's end has run. */
const end = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.once('close', () => resolve());
    socket.destroy();
  });
