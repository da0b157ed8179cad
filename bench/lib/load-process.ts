import { createHmac } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { generate, parser, type Packet } from 'mqtt-packet';

/* Many devices in one process: as little as a device can be, so that the load costs little beside what it measures. */

export interface LoadDevice {
  readonly productKey: string;
  readonly deviceName: string;
  readonly deviceSecret: string;
}

export type LoadRequest =
  /** Connects all, each reports version 1.0.0. On a notification a device reports the steps, then the version. */
  | { do: 'connect'; mqttUrl: string; devices: readonly LoadDevice[]; steps: readonly number[] }
  /** Every device publishes that many reports, one after the other's acknowledgement. */
  | { do: 'pump'; messages: number }
  /** Closes all connections, and opens them anew: all at once. */
  | { do: 'reconnect' }
  /** How long every report of every device waited for its acknowledgement so far, in ms. */
  | { do: 'acks' }
  /** Each subscribes to its notifications, as a broker that doesn't do it for them needs. */
  | { do: 'subscribe' }
  | { do: 'close' }
  /** They come online one after the other; each waits for its notification before the next one comes. */
  | { do: 'arrive' }
  /** When each device got its last notification, in epoch milliseconds. */
  | { do: 'notified' };

export interface LoadAnswer {
  readonly error?: string;
  readonly acks?: readonly number[];
  readonly seconds?: number;
  /** Attempts to connect that failed. */
  readonly failures?: number;
  readonly notifiedAtMs?: readonly number[];
  /** Of each arrival, in ms. */
  readonly sinceConnecting?: readonly number[];
  readonly sinceConnack?: readonly number[];
}

const AT_ONCE = 100;
const RETRY_MS = 1_000;
const nowMs = (): number => performance.timeOrigin + performance.now();

class Device {
  notifiedAtMs = 0;
  readonly ackedAfterMs: number[] = [];
  private socket!: Socket;
  private messageId = 0;
  private readonly acks = new Map<number, () => void>();
  private onClosed: () => void = () => undefined;
  private onNotified: () => void = () => undefined;

  constructor(
    private readonly device: LoadDevice,
    private readonly steps: readonly number[],
  ) {}

  private topic(kind: string): string {
    return `/ota/device/${kind}/${this.device.productKey}/${this.device.deviceName}`;
  }

  async connect(mqttUrl: string): Promise<void> {
    const { productKey, deviceName, deviceSecret } = this.device;
    const { hostname, port } = new URL(mqttUrl);
    const base = `${productKey}.${deviceName}`;
    const content = `clientId${base}deviceName${deviceName}productKey${productKey}`;
    const packets = parser();
    await new Promise<void>((resolve, reject) => {
      this.socket = connect({ host: hostname, port: Number(port), noDelay: true });
      this.socket.on('error', reject);
      this.socket.once('close', () => {
        reject(new Error('closed'));
        this.onClosed();
      });
      this.socket.on('data', (bytes) => void packets.parse(bytes));
      packets.on('packet', (packet) => {
        if (packet.cmd === 'connack') {
          if (packet.returnCode === 0) resolve();
          else reject(new Error(`CONNACK ${packet.returnCode ?? ''}`));
        } else this.take(packet);
      });
      this.socket.write(
        generate({
          ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 1_200 },
          clientId: `${base}|securemode=3,signmethod=hmacsha256,_ss=1,|`,
          username: `${deviceName}&${productKey}`,
          password: Buffer.from(createHmac('sha256', deviceSecret).update(content).digest('hex')),
        }),
      );
    });
  }

  async begin(mqttUrl: string): Promise<void> {
    await this.connect(mqttUrl);
    const closed = new Promise<never>((_, reject) => (this.onClosed = () => reject(new Error('closed'))));
    await Promise.race([this.inform(), closed]);
    this.onClosed = () => undefined;
  }

  /** As devices do: until it works. @returns how often it did not */
  async beginInTheEnd(mqttUrl: string): Promise<number> {
    for (let failures = 0; ; failures++) {
      try {
        await this.begin(mqttUrl);
        return failures;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  private inform(): Promise<void> {
    return this.publish(this.topic('inform'), '{"id":"1","params":{"version":"1.0.0"}}');
  }

  private take(packet: Packet): void {
    if (packet.cmd === 'puback' || packet.cmd === 'suback') {
      this.acks.get(packet.messageId ?? 0)?.();
      this.acks.delete(packet.messageId ?? 0);
    }
    if (packet.cmd !== 'publish') return;
    if (packet.qos === 1) this.socket.write(generate({ cmd: 'puback', messageId: packet.messageId ?? 0 }));
    if (!packet.topic.startsWith('/ota/device/upgrade/')) return;
    this.notifiedAtMs = nowMs();
    this.onNotified();
    const { data } = JSON.parse(packet.payload.toString()) as { data: { version: string } };
    if (this.steps.length > 0) void this.update(data.version);
  }

  private async update(version: string): Promise<void> {
    for (const step of this.steps) {
      const sentMs = performance.now();
      await this.report(step);
      this.ackedAfterMs.push(performance.now() - sentMs);
    }
    await this.publish(this.topic('inform'), JSON.stringify({ id: '1', params: { version } }));
    leaveForNext(this);
  }

  async subscribe(): Promise<void> {
    const subscriptions = [{ topic: this.topic('upgrade'), qos: 1 as const }];
    await this.acknowledged((messageId) => ({ cmd: 'subscribe', subscriptions, messageId }));
  }

  /** @returns ms from asking for the connection, and from its CONNACK, to the notification */
  async arrive(mqttUrl: string): Promise<{ readonly sinceConnecting: number; readonly sinceConnack: number }> {
    const notified = new Promise<void>((resolve) => (this.onNotified = resolve));
    const askedMs = nowMs();
    await this.connect(mqttUrl);
    const connackMs = nowMs();
    await Promise.all([notified, this.inform()]);
    return { sinceConnecting: this.notifiedAtMs - askedMs, sinceConnack: this.notifiedAtMs - connackMs };
  }

  report(step: number): Promise<void> {
    return this.publish(this.topic('progress'), `{"id":"2","params":{"step":"${step}","desc":""}}`);
  }

  private publish(topic: string, payload: string): Promise<void> {
    return this.acknowledged((messageId) => ({
      ...{ cmd: 'publish', topic, payload, qos: 1, messageId, dup: false, retain: false },
    }));
  }

  private acknowledged(packet: (messageId: number) => Packet): Promise<void> {
    this.messageId = (this.messageId % 65_535) + 1;
    const { messageId } = this;
    return new Promise((resolve) => {
      this.acks.set(messageId, resolve);
      this.socket.write(generate(packet(messageId)));
    });
  }

  /** @returns the time of each acknowledgement, in ms */
  async pump(messages: number): Promise<number[]> {
    const times: number[] = [];
    for (let n = 0; n < messages; n++) {
      const sentMs = performance.now();
      await this.report(Math.floor((99 * n) / messages));
      times.push(performance.now() - sentMs);
    }
    return times;
  }

  close(): void {
    this.socket.destroy();
  }
}

/**
 * Sockets open at once: a system may let a process have 20,000. Of more devices, the next one comes when one is done, in
 * the order in which a batch reaches them.
 */
const OPEN_MAX = 10_000;

let devices: Device[] = [];
let waiting: Device[] = [];
let isWaiting: ReadonlySet<Device> = new Set();

function leaveForNext(device: Device): void {
  const next = waiting.shift();
  if (!next) return;
  device.close();
  void next.beginInTheEnd(url);
}
let url = '';

/** @param atOnce how many are under way; without it, all */
async function inTurns(work: (device: Device) => Promise<void>, atOnce = devices.length): Promise<void> {
  const remaining = devices.values();
  const worker = async () => {
    for (const device of remaining) await work(device);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function answer(request: LoadRequest): Promise<LoadAnswer> {
  const startedMs = performance.now();
  let failures = 0;
  const seconds = () => (performance.now() - startedMs) / 1_000;
  switch (request.do) {
    case 'connect':
      url = request.mqttUrl;
      devices = request.devices.map((device) => new Device(device, request.steps));
      waiting = devices.slice(OPEN_MAX);
      isWaiting = new Set(waiting);
      await inTurns(async (device) => {
        await device.begin(url);
        if (isWaiting.has(device)) device.close();
      }, AT_ONCE);
      return { seconds: seconds() };
    case 'reconnect':
      for (const device of devices) device.close();
      await inTurns(async (device) => {
        failures += await device.beginInTheEnd(url);
      });
      return { seconds: seconds(), failures };
    case 'subscribe':
      await inTurns((device) => device.subscribe(), AT_ONCE);
      return {};
    case 'close':
      for (const device of devices) device.close();
      return {};
    case 'arrive': {
      const arrivals: Awaited<ReturnType<Device['arrive']>>[] = [];
      for (const device of devices) arrivals.push(await device.arrive(url));
      return {
        sinceConnecting: arrivals.map(({ sinceConnecting }) => sinceConnecting),
        sinceConnack: arrivals.map(({ sinceConnack }) => sinceConnack),
      };
    }
    case 'pump': {
      const times = await Promise.all(devices.map((device) => device.pump(request.messages)));
      return { seconds: seconds(), acks: times.flat() };
    }
    case 'acks':
      return { acks: devices.flatMap(({ ackedAfterMs }) => ackedAfterMs) };
    case 'notified':
      return { notifiedAtMs: devices.map(({ notifiedAtMs }) => notifiedAtMs) };
  }
}

process.on('message', (request: LoadRequest) => {
  answer(request).then(
    (done) => process.send?.(done),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
