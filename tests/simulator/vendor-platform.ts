import { createHash, createHmac } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer, type AddressInfo, type Server as NetServer } from 'node:net';
import { Aedes, type Client } from 'aedes';

export interface Report {
  readonly deviceName: string;
  readonly topic: string;
  readonly qos: number;
  readonly body: { readonly id: string | number; readonly params: Readonly<Record<string, unknown>> };
}

/** What a refused or served request asked for. */
export interface FileRequest {
  readonly range: string | undefined;
}

const HASHES: Readonly<Record<string, string>> = { hmacmd5: 'md5', hmacsha1: 'sha1', hmacsha256: 'sha256' };

/** The other side of the protocol, as small as can be: a bare broker that checks sign-ins, and a file server. */
export class VendorPlatform {
  readonly reports: Report[] = [];
  readonly clientIds: string[] = [];
  readonly fileRequests: FileRequest[] = [];
  private readonly changes = new EventEmitter();
  private readonly secrets = new Map<string, string>();
  private readonly clients = new Map<string, Client>();
  /** Header names as the file server writes them. */
  lengthHeader = 'Content-Length';
  /** A report of this step is never acknowledged. */
  unacknowledgedStep: number | undefined;

  private constructor(
    readonly productKey: string,
    readonly firmware: Buffer,
    private readonly broker: Aedes,
    private readonly mqtt: NetServer,
    private readonly files: Server,
  ) {}

  static async start(productKey: string, firmware: Buffer): Promise<VendorPlatform> {
    const broker = await Aedes.createBroker();
    const mqtt = createServer((socket) => broker.handle(socket));
    const files = createHttpServer((request, response) => platform.serve(request, response));
    const platform = new VendorPlatform(productKey, firmware, broker, mqtt, files);
    broker.authenticate = (client, username, password, done) => {
      const signed = platform.isSigned(client.id, username ?? '', password?.toString() ?? '');
      if (signed) platform.clientIds.push(client.id);
      done(signed ? null : Object.assign(new Error('refused'), { returnCode: 5 }), signed);
    };
    broker.on('clientReady', (client) => platform.ready(client));
    broker.on('publish', (packet, client) => {
      if (client) platform.report(client, packet.topic, packet.qos, packet.payload.toString());
    });
    broker.authorizeSubscribe = (_client, subscription, done) =>
      done(null, subscription.topic.startsWith('/shadow/') ? null : subscription);
    broker.authorizePublish = (client, packet, done) => {
      const isHeld = platform.unacknowledgedStep !== undefined && client !== null && platform.isHeld(packet);
      if (isHeld) platform.report(client, packet.topic, packet.qos, packet.payload.toString());
      else done(null);
    };
    mqtt.listen(0, '127.0.0.1');
    files.listen(0, '127.0.0.1');
    await Promise.all([once(mqtt, 'listening'), once(files, 'listening')]);
    return platform;
  }

  get mqttUrl(): string {
    return `mqtt://127.0.0.1:${(this.mqtt.address() as AddressInfo).port}`;
  }

  register(deviceName: string): { readonly deviceName: string; readonly deviceSecret: string } {
    const deviceSecret = `secret-of-${deviceName}`;
    this.secrets.set(deviceName, deviceSecret);
    return { deviceName, deviceSecret };
  }

  /** Pushes an update in the platform's own spelling. */
  notify(deviceName: string, changes: Readonly<Record<string, unknown>> = {}): void {
    this.publish(`/ota/device/upgrade/${this.productKey}/${deviceName}`, {
      code: '1000',
      data: this.update(changes),
      id: 1,
      message: 'success',
    });
  }

  /** Answers the device's query. */
  reply(deviceName: string, data: Readonly<Record<string, unknown>>): void {
    const topic = `/sys/${this.productKey}/${deviceName}/thing/ota/firmware/get_reply`;
    this.publish(topic, { code: 200, data, id: '2', message: 'success' });
  }

  /** The member `data` of an update of this firmware. */
  update({ version = '2.0.0', signMethod = 'Md5', ...rest }: Readonly<Record<string, unknown>> = {}) {
    const sign = createHash(signMethod === 'Md5' ? 'md5' : 'sha256')
      .update(this.firmware)
      .digest('hex');
    const url = `http://127.0.0.1:${(this.files.address() as AddressInfo).port}/firmware`;
    return { size: this.firmware.length, sign, version, url, signMethod, ...rest };
  }

  publish(topic: string, body: unknown): void {
    this.broker.publish(
      {
        cmd: 'publish',
        topic,
        payload: typeof body === 'string' ? body : JSON.stringify(body),
        qos: 1,
        retain: false,
        dup: false,
      },
      () => undefined,
    );
  }

  /** Cuts the device off, without a word. */
  cut(deviceName: string): void {
    (this.clients.get(deviceName)?.conn as unknown as { destroy(): void }).destroy();
  }

  steps(deviceName: string): number[] {
    return this.reports
      .filter((report) => report.deviceName === deviceName && report.topic.startsWith('/ota/device/progress/'))
      .map((report) => Number(report.body.params['step']));
  }

  versions(deviceName: string): unknown[] {
    return this.reports
      .filter((report) => report.deviceName === deviceName && report.topic.startsWith('/ota/device/inform/'))
      .map((report) => report.body.params['version']);
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this.changes, 'change');
  }

  async stop(): Promise<void> {
    this.files.closeAllConnections();
    this.files.close();
    await new Promise<void>((resolve) => this.broker.close(() => resolve()));
    this.mqtt.close();
  }

  /** The signature is computed here from what was sent, as protocol.md describes it. */
  private isSigned(clientId: string, username: string, password: string): boolean {
    const [base = '', list = ''] = clientId.split('|');
    const parameters = new Map(list.split(',').map((pair) => pair.split('=', 2) as [string, string]));
    const [deviceName = '', productKey = ''] = username.split('&');
    const timestamp = parameters.has('timestamp') ? `timestamp${parameters.get('timestamp') ?? ''}` : '';
    const expected = createHmac(
      HASHES[parameters.get('signmethod') ?? ''] ?? 'md5',
      this.secrets.get(deviceName) ?? 'unknown',
    )
      .update(`clientId${base}deviceName${deviceName}productKey${productKey}${timestamp}`)
      .digest('hex');
    return expected === password.toLowerCase();
  }

  private isHeld({ topic, payload }: { readonly topic: string; readonly payload: string | Buffer }): boolean {
    if (!topic.startsWith('/ota/device/progress/')) return false;
    const { params } = JSON.parse(payload.toString()) as Report['body'];
    return Number(params['step']) === this.unacknowledgedStep;
  }

  private ready(client: Client): void {
    const base = client.id.split('|')[0] ?? '';
    const name = [...this.secrets.keys()].find((known) => base.includes(known)) ?? '';
    this.clients.set(name, client);
    this.changes.emit('change');
    if (!client.id.includes('_ss=1')) return;
    const topics = [
      `/ota/device/upgrade/${this.productKey}/${name}`,
      `/sys/${this.productKey}/${name}/thing/ota/firmware/get_reply`,
    ];
    client.subscribe(
      topics.map((topic) => ({ topic, qos: 1 as const })),
      () => undefined,
    );
  }

  private report(client: Client, topic: string, qos: number, payload: string): void {
    const name = [...this.clients].find(([, known]) => known === client)?.[0] ?? '';
    this.reports.push({ deviceName: name, topic, qos, body: JSON.parse(payload) as Report['body'] });
    this.changes.emit('change');
  }

  private serve(request: IncomingMessage, response: ServerResponse): void {
    const { range } = request.headers;
    this.fileRequests.push({ range });
    const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    const bytes = this.firmware.subarray(start);
    response.writeHead(range === undefined ? 200 : 206, [
      this.lengthHeader,
      String(bytes.length),
      'Content-Range',
      `bytes ${start}-${this.firmware.length - 1}/${this.firmware.length}`,
    ]);
    response.end(bytes);
  }
}
