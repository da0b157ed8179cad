import { connect, type MqttClient } from 'mqtt';
import type { Flavour } from './flavour.js';
import type { Message } from './messages.js';
import { signIn, type DeviceTriple } from './sign-in.js';

/** The broker refused the device's sign-in or could not be reached. */
export class ConnectFailed extends Error {
  override readonly name = 'ConnectFailed';

  constructor(
    message: string,
    /** CONNACK refused it, rather than the network. */
    readonly isRefusal: boolean,
  ) {
    super(message);
  }
}

/** The connection ended before the message was acknowledged: the device sends it again on the next one. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

export interface ConnectionOptions {
  readonly mqttUrl: string;
  readonly triple: DeviceTriple;
  readonly flavour: Flavour;
  readonly onMessage: (topic: string, payload: Buffer) => void;
  /** Once, when an open connection has ended, whoever ended it. */
  readonly onClose: (connection: Connection) => void;
  /** Aborting it gives up an attempt to connect. */
  readonly signal: AbortSignal;
}

const CONNECT_TIMEOUT_MS = 30_000;

/** One MQTT 3.1.1 connection of a device. Reconnecting is the device's business: it signs in anew each time. */
export class Connection {
  /** mqtt.js forgets a QoS 0 message that waits for a full socket when that closes: so the end settles all. */
  private readonly waiting = new Set<(error: Error) => void>();
  private ended = false;

  private constructor(
    private readonly client: MqttClient,
    onClose: (connection: Connection) => void,
  ) {
    client.on('close', () => {
      this.end();
      onClose(this);
    });
  }

  /** @throws ConnectFailed */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const client = connect(options.mqttUrl, {
      ...signIn(options.triple, options.flavour),
      protocolVersion: 4,
      clean: true,
      keepalive: options.flavour.keepaliveSeconds,
      reconnectPeriod: 0,
      connectTimeout: CONNECT_TIMEOUT_MS,
      queueQoSZero: false,
    });
    // Before CONNACK is in: the server may push at once to a device that it has subscribed itself.
    client.on('message', options.onMessage);
    const giveUp = () => client.end(true);
    options.signal.addEventListener('abort', giveUp);
    await connected(client).finally(() => options.signal.removeEventListener('abort', giveUp));
    return new Connection(client, options.onClose);
  }

  /**
   * Each topic by itself: what the server refuses does not spoil the others.
   *
   * @throws ConnectionLost
   */
  async subscribe(topics: readonly string[]): Promise<void> {
    for (const topic of topics) {
      await this.untilEnd((resolve) => this.client.subscribe(topic, { qos: 1 }, () => resolve()));
    }
  }

  /**
   * Resolves when the message is acknowledged (QoS 1) or written (QoS 0).
   *
   * @throws ConnectionLost
   */
  publish({ topic, payload }: Message, qos: 0 | 1): Promise<void> {
    return this.untilEnd((resolve, reject) => {
      this.client.publish(topic, payload, { qos }, (error) => (error ? reject() : resolve()));
    });
  }

  /** Leaves in the right way, with DISCONNECT. */
  async close(): Promise<void> {
    if (this.ended) return;
    await this.client.endAsync();
  }

  /** As when the radio is gone: no DISCONNECT. */
  drop(): void {
    this.client.end(true);
  }

  private untilEnd(work: (resolve: () => void, reject: () => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.ended) return reject(new ConnectionLost('The connection has ended'));
      const settle = (error?: Error) => {
        if (!this.waiting.delete(settle)) return;
        if (error) reject(error);
        else resolve();
      };
      this.waiting.add(settle);
      work(
        () => settle(),
        () => settle(new ConnectionLost('The connection ended before the acknowledgement')),
      );
    });
  }

  private end(): void {
    this.ended = true;
    for (const settle of this.waiting) settle(new ConnectionLost('The connection ended'));
    this.client.end(true);
  }
}

function connected(client: MqttClient): Promise<void> {
  return new Promise((resolve, reject) => {
    let problem = new ConnectFailed('The connection was closed before the broker answered', false);
    const onError = (error: Error & { code?: number | string; errors?: readonly Error[] }) => {
      const text = error.message || (error.errors?.[0]?.message ?? 'no connection');
      problem = new ConnectFailed(text, typeof error.code === 'number');
    };
    const onClose = () => {
      client.end(true);
      reject(problem);
    };
    // mqtt.js throws unheard errors; after CONNACK the close says all there is to say.
    client.on('error', onError);
    client.once('close', onClose);
    client.once('connect', () => {
      client.off('close', onClose);
      resolve();
    });
  });
}
