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
  /** Closes all connections; with `again`, opens them anew. */
  | { do: 'reconnect' }
  /** How long every report of every device waited for its acknowledgement so far, in ms. */
  | { do: 'acks' }
  /** When each device got its last notification, in epoch milliseconds. */
  | { do: 'notified' };

export interface LoadAnswer {
  readonly error?: string;
  readonly acks?: readonly number[];
  readonly seconds?: number;
  readonly notifiedAtMs?: readonly number[];
}

const AT_ONCE = 100;
const nowMs = (): number => performance.timeOrigin + performance.now();

class Device {
  notifiedAtMs = 0;
  readonly ackedAfterMs: number[] = [];
  private socket!: Socket;
  private messageId = 0;
  private readonly acks = new Map<number, () => void>();

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
      this.socket.once('error', reject);
      this.socket.on('data', (bytes) => void packets.parse(bytes));
      packets.on('packet', (packet) => {
        if (packet.cmd === 'connack') {
          if (packet.returnCode === 0) resolve();
          else reject(new Error(`CONNACK ${packet.returnCode ?? ''}`));
        } else this.take(packet);
      });
      this.socket.write(
        generate({
          ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 0 },
          clientId: `${base}|securemode=3,signmethod=hmacsha256,_ss=1,|`,
          username: `${deviceName}&${productKey}`,
          password: Buffer.from(createHmac('sha256', deviceSecret).update(content).digest('hex')),
        }),
      );
    });
  }

  async begin(mqttUrl: string): Promise<void> {
    await this.connect(mqttUrl);
    await this.publish(this.topic('inform'), '{"id":"1","params":{"version":"1.0.0"}}');
  }

  private take(packet: Packet): void {
    if (packet.cmd === 'puback') {
      this.acks.get(packet.messageId ?? 0)?.();
      this.acks.delete(packet.messageId ?? 0);
    }
    if (packet.cmd !== 'publish') return;
    if (packet.qos === 1) this.socket.write(generate({ cmd: 'puback', messageId: packet.messageId ?? 0 }));
    if (!packet.topic.startsWith('/ota/device/upgrade/')) return;
    this.notifiedAtMs = nowMs();
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
  }

  report(step: number): Promise<void> {
    return this.publish(this.topic('progress'), `{"id":"2","params":{"step":"${step}","desc":""}}`);
  }

  private publish(topic: string, payload: string): Promise<void> {
    this.messageId = (this.messageId % 65_535) + 1;
    const { messageId } = this;
    return new Promise((resolve) => {
      this.acks.set(messageId, resolve);
      this.socket.write(generate({ cmd: 'publish', topic, payload, qos: 1, messageId, dup: false, retain: false }));
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

let devices: Device[] = [];
let url = '';

async function inTurns(work: (device: Device) => Promise<void>): Promise<void> {
  const remaining = devices.values();
  const worker = async () => {
    for (const device of remaining) await work(device);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function answer(request: LoadRequest): Promise<LoadAnswer> {
  const startedMs = performance.now();
  const seconds = () => (performance.now() - startedMs) / 1_000;
  switch (request.do) {
    case 'connect':
      url = request.mqttUrl;
      devices = request.devices.map((device) => new Device(device, request.steps));
      await inTurns((device) => device.begin(url));
      return { seconds: seconds() };
    case 'reconnect':
      for (const device of devices) device.close();
      await inTurns((device) => device.begin(url));
      return { seconds: seconds() };
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
