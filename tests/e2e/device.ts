import { createHash, createHmac } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { connectAsync, type MqttClient } from 'mqtt';

export interface Notification {
  readonly code: string;
  readonly id: number;
  readonly data: {
    readonly url: string;
    readonly version: string;
    readonly size: number;
    readonly sign: string;
    readonly signMethod: 'Md5' | 'SHA256';
    readonly module?: string;
  };
}

/** A device that does what it is told: the test is its firmware. It speaks as the SDKs do [protocol]. */
export class Device {
  private readonly notifications: Notification[] = [];
  private readonly arrivals = new EventEmitter();

  private constructor(
    readonly deviceName: string,
    private readonly productKey: string,
    private readonly client: MqttClient,
  ) {
    client.on('message', (topic, payload) => {
      if (!topic.startsWith('/ota/device/upgrade/')) return;
      this.notifications.push(JSON.parse(payload.toString()) as Notification);
      this.arrivals.emit('notification');
    });
  }

  /** @param ca of the service's certificate, where it speaks TLS */
  static async connect(
    mqttUrl: string,
    productKey: string,
    deviceName: string,
    deviceSecret: string,
    ca?: string,
  ): Promise<Device> {
    const base = `${productKey}.${deviceName}`;
    const content = `clientId${base}deviceName${deviceName}productKey${productKey}`;
    const client = await connectAsync(mqttUrl, {
      clientId: `${base}|securemode=3,signmethod=hmacsha256,_ss=1,|`,
      username: `${deviceName}&${productKey}`,
      password: createHmac('sha256', deviceSecret).update(content).digest('hex').toUpperCase(),
      protocolVersion: 4,
      reconnectPeriod: 0,
      ...(ca === undefined ? {} : { ca }),
    });
    client.on('error', () => undefined);
    return new Device(deviceName, productKey, client);
  }

  private topic(kind: string): string {
    return `/ota/device/${kind}/${this.productKey}/${this.deviceName}`;
  }

  async runs(version: string): Promise<void> {
    await this.client.publishAsync(this.topic('inform'), JSON.stringify({ id: 1, params: { version } }), { qos: 1 });
  }

  async progress(step: number, desc = ''): Promise<void> {
    const payload = JSON.stringify({ id: '2', params: { step: String(step), desc } });
    await this.client.publishAsync(this.topic('progress'), payload, { qos: 1 });
  }

  /** Reports a percentage; `closed` when the connection ends without its PUBACK. */
  tryProgress(step: number): Promise<'acknowledged' | 'closed'> {
    return this.unlessClosed(this.progress(step));
  }
  tryRuns(version: string): Promise<'acknowledged' | 'closed'> {
    return this.unlessClosed(this.runs(version));
  }

  /** Reports the version at QoS 0, as some SDKs do: nothing is acknowledged. */
  async tell(version: string): Promise<'sent'> {
    await this.client.publishAsync(this.topic('inform'), JSON.stringify({ id: 1, params: { version } }), { qos: 0 });
    return 'sent';
  }

  private async unlessClosed(sent: Promise<void>): Promise<'acknowledged' | 'closed'> {
    let onClose = () => undefined as void;
    const closed = new Promise<'closed'>((resolve) => (onClose = () => resolve('closed')));
    this.client.once('close', onClose);
    const acknowledged = sent.then(() => 'acknowledged' as const);
    return Promise.race([acknowledged, closed]).finally(() => this.client.off('close', onClose));
  }

  /** The next update notification, or one that has come already. */
  async notification(): Promise<Notification> {
    while (this.notifications.length === 0) await once(this.arrivals, 'notification');
    return this.notifications.shift() as Notification;
  }

  /** Downloads the firmware and checks its digest, as a device must. */
  async download({ data }: Notification): Promise<Buffer> {
    const response = await fetch(data.url);
    const bytes = Buffer.from(await response.arrayBuffer());
    const digest = createHash(data.signMethod === 'Md5' ? 'md5' : 'sha256')
      .update(bytes)
      .digest('hex');
    if (digest !== data.sign || bytes.length !== data.size) throw new Error('The digest does not match');
    return bytes;
  }

  /** Notifications that have come and were not asked for yet. */
  get waiting(): number {
    return this.notifications.length;
  }

  /** A whole update that goes well. */
  async update(): Promise<Notification> {
    const notification = await this.notification();
    await this.progress(0);
    await this.download(notification);
    await this.progress(50);
    await this.progress(100);
    await this.runs(notification.data.version);
    return notification;
  }

  /** Resolves when its connection has ended, by whomever. */
  async cut(): Promise<void> {
    if (!this.client.connected) return;
    await new Promise<void>((resolve) => this.client.once('close', () => resolve()));
  }

  async leave(): Promise<void> {
    await this.client.endAsync();
  }
}
