import { createHmac } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { Registry } from 'prom-client';
import { onTestFinished } from 'vitest';
import type { DeviceUpdateRun, DeviceUpdateSignals } from '../../broker/device-update-signals.js';
import type { BrokerLimits } from '../../broker/limits.js';
import { startEmbeddedBroker, type BrokerTls, type EmbeddedBroker } from '../../broker/embedded-broker.js';
import { Gateway, TELL_NOW } from '../../broker/gateway.js';
import { createBrokerMetrics, type BrokerMetrics } from '../../broker/metrics.js';
import type { OnlineRetry } from '../../broker/online-signals.js';
import { initialState, notified } from '../../domain/device-update.js';
import type { DeviceKey } from '../../domain/ids.js';
import { resolvePolicy } from '../../domain/policy.js';
import type { DigestMethod, OpenDeviceUpdate, Records } from '../../records/records.js';
import { openTestRecords } from '../support/records.js';

export const PRODUCT = 'a1X2bEnP82z';
export const SECRET = 'jrS9tmbcmFyP6XXp0wbEYnAmAFJ7KB3t';
export const TARGET = '2.0.0';

export const light = (n: number): DeviceKey => ({ productKey: PRODUCT, deviceName: `light-0${n}` });
export const topicOf = (kind: string, { productKey, deviceName }: DeviceKey) =>
  `/ota/device/${kind}/${productKey}/${deviceName}`;
export const sysTopic = ({ productKey, deviceName }: DeviceKey, rest: string) =>
  `/sys/${productKey}/${deviceName}/${rest}`;

/** What nobody handles ends the service's process. @returns tells what came since, until the test is over */
export function unhandledRejections(): () => readonly unknown[] {
  const seen: unknown[] = [];
  const note = (reason: unknown) => void seen.push(reason);
  process.on('unhandledRejection', note);
  onTestFinished(() => void process.off('unhandledRejection', note));
  return () => seen;
}

export interface SentSignal {
  readonly name: string;
  readonly run: DeviceUpdateRun;
  readonly message: Readonly<Record<string, unknown>>;
}

/** An engine that keeps what it is told, and answers as the test wants. */
export class RecordingSignals extends EventEmitter implements DeviceUpdateSignals {
  readonly sent: SentSignal[] = [];
  answer: (signal: SentSignal) => Promise<'delivered' | 'ended'> = async () => 'delivered';

  async send(
    run: DeviceUpdateRun,
    signal: { readonly name: string },
    message: unknown,
  ): Promise<'delivered' | 'ended'> {
    const sent: SentSignal = {
      name: signal.name,
      run: { productKey: run.productKey, deviceName: run.deviceName, runId: run.runId },
      message: message as SentSignal['message'],
    };
    this.sent.push(sent);
    this.emit('sent', sent);
    return this.answer(sent);
  }

  names(): string[] {
    return this.sent.map(({ name }) => name);
  }

  /** Resolves when this many signals have been sent in all. */
  async count(n: number): Promise<void> {
    while (this.sent.length < n) await once(this, 'sent');
  }
}

/** A device's connection, with everything that came down. */
export class TestDevice {
  readonly received: {
    readonly topic: string;
    readonly payload: string;
    readonly qos: number;
    readonly retain: boolean;
  }[] = [];

  constructor(
    readonly client: MqttClient,
    readonly key: DeviceKey,
  ) {
    client.on('message', (topic, payload, { qos, retain }) => {
      this.received.push({ topic, payload: payload.toString(), qos, retain });
      client.emit('came' as 'connect', undefined as never);
    });
  }

  /** The next message of this topic, or one that has come already. */
  async next(topic: string): Promise<{ readonly payload: string; readonly qos: number }> {
    for (;;) {
      const at = this.received.findIndex((message) => message.topic === topic);
      const [found] = at < 0 ? [] : this.received.splice(at, 1);
      if (found) return found;
      await new Promise<void>((resolve) => this.client.once('came' as 'connect', () => resolve()));
    }
  }

  closed(): Promise<void> {
    return new Promise((resolve) => this.client.once('close', () => resolve()));
  }

  async publish(topic: string, payload: unknown, qos: 0 | 1 | 2 = 1): Promise<void> {
    const text = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload);
    await this.client.publishAsync(topic, text, { qos });
  }

  /** Resolves when the broker has handled all that was sent before: messages of a device are handled in turn. */
  async handled(): Promise<void> {
    await this.publish(`/${this.key.productKey}/${this.key.deviceName}/user/done`, '');
  }

  async runs(version: string, module?: string): Promise<void> {
    await this.publish(topicOf('inform', this.key), { id: 1, params: { version, module } });
  }

  async progress(step: number | string, extra: object = {}, qos: 0 | 1 = 1): Promise<void> {
    await this.publish(topicOf('progress', this.key), { id: 2, params: { step, desc: '', ...extra } }, qos);
  }
}

export interface Credentials {
  readonly clientId: string;
  readonly username: string;
  readonly password: string;
}

/** What C 4, Python and Rust send: no SUBSCRIBE is to come (`_ss=1`). */
export const systemSubscribed = (key: DeviceKey, secret = SECRET): Credentials => sign(key, secret, '_ss=1,');
/** What C 3 and Node send: they subscribe themselves. */
export const selfSubscribed = (key: DeviceKey, secret = SECRET): Credentials => sign(key, secret, '');

function sign({ productKey, deviceName }: DeviceKey, secret: string, parameters: string): Credentials {
  const base = `${productKey}.${deviceName}`;
  const content = `clientId${base}deviceName${deviceName}productKey${productKey}timestamp2524608000000`;
  return {
    clientId: `${base}|timestamp=2524608000000,${parameters}securemode=3,signmethod=hmacsha256,lan=C|`,
    username: `${deviceName}&${productKey}`,
    password: createHmac('sha256', secret).update(content).digest('hex').toUpperCase(),
  };
}

export interface GroundOptions {
  readonly onlineRetry?: OnlineRetry;
  readonly downloadUrl?: (update: OpenDeviceUpdate) => string;
  /** Stands between gateway and records, to break them. */
  readonly spoil?: (records: Records) => Records;
  readonly limits?: Partial<BrokerLimits>;
  readonly integrity?: 'intact' | 'corrupt';
  readonly tls?: BrokerTls;
}

/** A broker over real records, with an engine that records what it is told. */
export class Ground {
  readonly #devices: MqttClient[] = [];
  #tasks = 0;

  private constructor(
    readonly records: Records,
    readonly signals: RecordingSignals,
    readonly gateway: Gateway,
    readonly broker: EmbeddedBroker,
    readonly registry: Registry,
    readonly metrics: BrokerMetrics,
    readonly logged: { readonly kind?: string; readonly subject?: string; readonly reason?: string }[],
    private readonly closeRecords: () => Promise<void>,
  ) {}

  static async start({
    onlineRetry,
    downloadUrl = urlOf,
    spoil = (r) => r,
    limits,
    integrity = 'intact',
    tls,
  }: GroundOptions = {}): Promise<Ground> {
    const { records, close } = await openTestRecords();
    await records.createProduct({ productKey: PRODUCT, name: 'Lights', createdAtMs: 1 });
    const devices = [1, 2, 3].map((n) => ({
      deviceName: light(n).deviceName,
      deviceSecret: SECRET,
      protocol: 'mqtt' as const,
    }));
    await records.registerDevices(PRODUCT, devices, 1);
    const signals = new RecordingSignals();
    const registry = new Registry();
    const metrics = createBrokerMetrics(registry);
    const logged: { kind?: string; subject?: string }[] = [];
    const log = { warn: (entry: object) => void logged.push(entry) };
    const spoiled = spoil(records);
    const tellAfter = TELL_NOW;
    const isIntact = () => Promise.resolve(integrity);
    const gateway = new Gateway({
      ...{ records: spoiled, signals, isIntact, downloadUrl, metrics, log, onlineRetry, tellAfter },
    });
    const broker = await startEmbeddedBroker({
      host: '127.0.0.1',
      port: 0,
      records: spoiled,
      gateway,
      metrics,
      log,
      limits,
      tls,
    });
    return new Ground(records, signals, gateway, broker, registry, metrics, logged, close);
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return this.broker.port ?? 0;
  }

  async connect(key: DeviceKey, credentials: Credentials, options: IClientOptions = {}): Promise<TestDevice> {
    const client = await connectAsync(this.url, {
      ...credentials,
      protocolVersion: 4,
      reconnectPeriod: 0,
      ...options,
    });
    client.on('error', () => undefined);
    this.#devices.push(client);
    const device = new TestDevice(client, key);
    // A device that is taken over before it is served never gets its acknowledgement.
    await Promise.race([device.handled(), device.closed()]);
    return device;
  }

  /** A device whose SDK sends no SUBSCRIBE. */
  device(key: DeviceKey = light(1)): Promise<TestDevice> {
    return this.connect(key, systemSubscribed(key));
  }

  /** A device in an open update whose run has begun. */
  async begunUpdate(
    key: DeviceKey = light(1),
    {
      module = 'default',
      signMethod = 'MD5',
      soakMs = 0,
    }: { module?: string; signMethod?: DigestMethod; soakMs?: number } = {},
  ) {
    const n = ++this.#tasks;
    const firmwareId = `firmware-${n}`;
    await this.records.addFirmware(
      {
        id: firmwareId,
        name: `firmware_${n}`,
        productKey: PRODUCT,
        module,
        version: n === 1 ? TARGET : `${n + 1}.0.0`,
        sizeBytes: 300_000,
        signMethod,
        sign: signMethod === 'MD5' ? 'ab'.repeat(16) : 'cd'.repeat(32),
        sha256: 'cd'.repeat(32),
        createdAtMs: n,
      },
      { firmwareMax: 100 },
    );
    const taskId = `task-${n}`;
    await this.records.createTask({
      id: taskId,
      kind: 'verification',
      firmwareId,
      sourceVersions: [],
      deviceNames: [key.deviceName],
      policy: resolvePolicy('verification', { soakMs }),
      createdAtMs: n,
    });
    await this.records.taskBegun(taskId, 'task-run', 1);
    await this.records.recordDeviceUpdate(taskId, key, initialState(1), `run-${n}`);
    return { taskId, runId: `run-${n}` };
  }

  /** The same, and the device was notified. */
  async notifiedUpdate(key: DeviceKey = light(1), options: { module?: string; soakMs?: number } = {}) {
    const update = await this.begunUpdate(key, options);
    await this.records.recordDeviceUpdate(update.taskId, key, notified(initialState(1), 2), update.runId);
    return update;
  }

  async isOnline(n = 1) {
    return (await this.records.getDevice(light(n)))?.online;
  }

  /** Presence is written after the event on the socket: looks until it is so. */
  async becomes(online: boolean): Promise<void> {
    while ((await this.isOnline()) !== online) await new Promise((resolve) => setImmediate(resolve));
  }

  async recordOf(taskId: string, key: DeviceKey = light(1)) {
    const record = await this.records.getDeviceUpdate(taskId, key.deviceName);
    if (!record) throw new Error(`No record of ${key.deviceName} in ${taskId}`);
    return record;
  }

  async irregularities(kind: string): Promise<number> {
    const metric = await this.registry.getSingleMetric('ferry_mqtt_irregularities_total')?.get();
    return metric?.values.find(({ labels }) => labels.kind === kind)?.value ?? 0;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#devices.map((client) => client.endAsync(true)));
    await this.broker.close();
    await this.closeRecords();
  }
}

export const urlOf = ({ record }: OpenDeviceUpdate): string => `http://127.0.0.1:8080/files/${record.id}`;
