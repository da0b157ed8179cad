import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { eachItem, type ApiClient } from '../../api/client.js';
import { seededRandom } from '../../cli/simulator/random.js';
import { Device } from '../e2e/device.js';
import { ServiceProcess } from '../support/service-process.js';
import { httpCase, jsonCase, mqttCase, signInOf, type Credentials, type Route } from './cases.js';

export interface FuzzOptions {
  readonly seed: number;
  readonly cases: number;
  /** Only this case, to look at it closely. */
  readonly only?: number | undefined;
  readonly folder: string;
  readonly say: (line: string) => void;
}

export interface FuzzResult {
  readonly cases: number;
  readonly seconds: number;
  /** By what they were answered. */
  readonly answers: Readonly<Record<string, number>>;
  readonly rssMb: { readonly before: number; readonly highest: number; readonly after: number };
  /** Nothing here: every promise was kept. */
  readonly broken: readonly string[];
}

const AT_ONCE = 40;
/** A case whose connection is neither answered nor closed by then is given up: the service still waits for its rest. */
const CASE_MS = 1_500;
/** What the service may grow by, whatever is sent. */
const GROWTH_MB_MAX = 250;

/**
 * Sends cases made from a seed to the real service: a third MQTT bytes, a third messages of a signed-in device, a third
 * HTTP. Meanwhile a legitimate device of another product is updated; and what belongs to that product stays as it is.
 */
export async function fuzz({ seed, cases, only, folder, say }: FuzzOptions): Promise<FuzzResult> {
  const service = await ServiceProcess.at(folder, {
    FERRY_LOG_LEVEL: 'error',
    FERRY_MQTT_MESSAGES_PER_SECOND: '100000',
  });
  await service.start();
  try {
    return await run(service, { seed, cases, only, folder, say });
  } finally {
    await service.destroy();
  }
}

async function run(service: ServiceProcess, { seed, cases, only, folder, say }: FuzzOptions): Promise<FuzzResult> {
  const broken: string[] = [];
  const answers: Record<string, number> = {};
  const count = (answer: string) => (answers[answer] = (answers[answer] ?? 0) + 1);
  const ground = await prepare(service, folder);
  const witnessed = await witness(service.api);
  const memory = new Memory(service.pid);
  const legitimate = legitimateUpdate(service, ground).catch((error: unknown) => String(error));
  const device = new JsonDevice(service.mqttUrl, ground.own);

  const one = async (n: number): Promise<void> => {
    const random = seededRandom(seed * 1_000_003 + n);
    switch (n % 3) {
      case 0:
        return void count(
          `mqtt: ${await overSocket(service.mqttUrl, mqttCase(random, ground.thrownOut, ground.foreign))}`,
        );
      case 1:
        return void count(`json: ${await device.send(jsonCase(random, ground.own, ground.foreign))}`);
      default: {
        const answer = await overSocket(service.url, httpCase(random, ground.routes, ground.token));
        count(`http: ${answer.slice(0, 12)}`);
        const fault = httpFault(answer);
        if (fault !== undefined) broken.push(`case ${n}: ${fault} (the same again: --seed ${seed} --only ${n})`);
      }
    }
  };
  const startedMs = performance.now();
  const numbers = only === undefined ? Array.from({ length: cases }, (_, n) => n) : [only];
  let done = 0;
  const remaining = numbers.values();
  const worker = async () => {
    for (const n of remaining) {
      await one(n);
      done++;
      memory.look();
      if (done === Math.ceil(cases / 10)) memory.begin();
      if (done % 20_000 === 0) say(`${done} cases, ${memory.nowMb} MB`);
      if (!service.isRunning) throw new Error(`The service has ended at case ${n}:\n${await service.lastWords()}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const seconds = (performance.now() - startedMs) / 1_000;
  await device.leave();

  if ((await legitimate) !== 'succeeded') broken.push('the legitimate device was not updated');
  // The answered ones among the reports are recorded; then nothing of the witnesses may be other than it was.
  const after = await witness(service.api);
  if (after !== witnessed) broken.push(`what belongs to others has changed:\n${witnessed}\n${after}`);
  if (memory.nowMb > memory.beforeMb + GROWTH_MB_MAX)
    broken.push(`memory grew from ${memory.beforeMb} to ${memory.nowMb} MB`);
  broken.push(...(await faultsInLog(service)));
  return { cases: numbers.length, seconds, answers, rssMb: memory.figures(), broken };
}

interface Ground {
  readonly own: Credentials;
  /** Each of its connections is taken over by the next one. */
  readonly thrownOut: Credentials;
  readonly foreign: Credentials;
  readonly routes: readonly Route[];
  /** Good for the product of the fuzz only. */
  readonly token: string;
}

async function prepare({ api, url, token }: ServiceProcess, folder: string): Promise<Ground> {
  const register = async (productKey: string, deviceName: string): Promise<Credentials> => {
    const { devices } = await api.registerDevices(productKey, [{ deviceName }]);
    return { productKey, deviceName, deviceSecret: devices[0]?.deviceSecret ?? '' };
  };
  for (const productKey of ['fuzz', 'witness']) await api.createProduct({ productKey, name: productKey });
  const own = await register('fuzz', 'fuzz-1');
  const thrownOut = await register('fuzz', 'fuzz-2');
  await register('fuzz', 'fuzz-3'); // whom requests name
  const foreign = await register('witness', 'witness-1');
  await register('witness', 'fuzz-1'); // of the same name, another product
  const file = join(folder, 'firmware.bin');
  await writeFile(file, 'firmware');
  for (const productKey of ['fuzz', 'witness']) {
    const { id } = await api.addFirmware({ name: 'main', productKey, version: '2.0.0', file });
    if (productKey === 'fuzz') await api.createVerification(id, { deviceNames: ['fuzz-1'] });
  }
  const operator = await api.createToken({ name: 'fuzz', role: 'operator', productKey: 'fuzz' });
  const document = (await (
    await fetch(new URL('/openapi.json', url), { headers: { authorization: `Bearer ${token}` } })
  ).json()) as { paths: Record<string, Record<string, unknown>> };
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path })),
  );
  return { own, thrownOut, foreign, routes: [...routes, { method: 'GET', path: '/metrics' }], token: operator.token };
}

/** What no case may change, as text. */
async function witness(api: ApiClient): Promise<string> {
  const tasks = (await api.listTasks({ productKey: 'witness', kind: 'batch' })).items;
  const firmware = (await api.listFirmware({ productKey: 'witness' })).items.map(
    ({ status, openTasks, verifiedAt, lastVerification, verificationSuccesses, ...rest }) => rest,
  );
  const devices: unknown[] = [];
  for await (const { deviceName, revokedAt, protocol } of eachItem((page) => api.listDevices('witness', page))) {
    devices.push({ deviceName, revokedAt, protocol });
  }
  const products = (await api.listProducts()).items.filter(({ productKey }) => productKey === 'witness');
  return JSON.stringify({ tasks, firmware, devices, products });
}

/** A device of the other product is verified from beginning to end, with pauses in which the cases go on. */
async function legitimateUpdate(service: ServiceProcess, { foreign }: Ground): Promise<string | null> {
  const { api } = service;
  const { productKey, deviceName, deviceSecret } = foreign;
  const device = await Device.connect(service.mqttUrl, productKey, deviceName, deviceSecret);
  await device.runs('1.0.0');
  const firmware = (await api.listFirmware({ productKey: 'witness' })).items[0];
  const { id } = await api.createVerification(firmware?.id ?? '', { deviceNames: [deviceName] });
  await device.update();
  for await (const { event, data } of api.taskEvents(id)) {
    if (event === 'task' && data.status === 'completed') break;
  }
  await device.leave();
  return (await api.listDeviceUpdates(id)).items[0]?.outcome ?? null;
}

/** Writes all, and answers what comes back: the beginning of it, or `closed` or `silent`. */
function overSocket(url: string, bytes: Buffer): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) });
    let answer = '';
    const finish = (otherwise: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer === '' ? otherwise : url.startsWith('mqtt') ? 'answered' : answer);
    };
    const timer = setTimeout(() => finish('silent'), CASE_MS);
    socket.on('error', () => undefined);
    socket.on('close', () => finish('closed'));
    socket.on('data', (piece: Buffer) => {
      if (answer.length < 4_096) answer += piece.toString('latin1');
      // An event stream goes on for ever, and MQTT until somebody ends it.
      if (answer.includes('text/event-stream')) finish('');
    });
    socket.write(bytes);
    if (url.startsWith('mqtt')) socket.end();
  });
}

/** Why an answer is none that a client may get; undefined when it is one. */
function httpFault(answer: string): string | undefined {
  if (answer === 'closed' || answer === 'silent') return undefined;
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);
  if (!(status >= 100 && status < 600)) return `an answer that is no HTTP: ${answer.slice(0, 80)}`;
  if (/\r\nX-Injected:/i.test(answer.split('\r\n\r\n', 1)[0] ?? '')) return 'a header was injected';
  if (/root:.*:0:0:/.test(answer)) return 'a file of the system was served';
  // Parts that are away say so by a code of their own; here none is.
  return status === 500 || status > 503 ? `status ${status}: ${answer.slice(-300)}` : undefined;
}

/** A signed-in device that publishes what it is given; it comes back, with nothing in hand, when it was thrown out. */
class JsonDevice {
  private client: Promise<MqttClient> | undefined;

  constructor(
    private readonly url: string,
    private readonly device: Credentials,
  ) {}

  private connected(): Promise<MqttClient> {
    return (this.client ??= connectAsync(this.url, {
      ...{ ...signInOf(this.device), protocolVersion: 4, reconnectPeriod: 0 },
    }).then((client) => {
      client.on('error', () => undefined).setMaxListeners(2 * AT_ONCE);
      client.once('close', () => (this.client = undefined));
      return client;
    }));
  }

  async send({ topic, payload }: { readonly topic: string; readonly payload: string }): Promise<string> {
    const client = await this.connected();
    let timer: NodeJS.Timeout | undefined;
    let onClose = () => undefined as void;
    const late = new Promise<string>((resolve) => (timer = setTimeout(() => resolve('late'), CASE_MS)));
    const closed = new Promise<string>((resolve) => client.once('close', (onClose = () => resolve('closed'))));
    const sent = client.publishAsync(topic, payload, { qos: 1 }).then(
      () => 'acknowledged',
      () => 'refused',
    );
    return Promise.race([sent, closed, late]).finally(() => {
      clearTimeout(timer);
      client.off('close', onClose);
    });
  }

  async leave(): Promise<void> {
    await (await this.client)?.endAsync(true);
  }
}

/** Memory of the service's process, in MB. */
export class Memory {
  beforeMb: number;
  private highestMb = 0;

  constructor(private readonly pid: number) {
    this.beforeMb = this.nowMb;
  }

  get nowMb(): number {
    const pages = Number(readFileSync(`/proc/${this.pid}/statm`, 'utf8').split(' ')[1]);
    return Math.round((pages * 4_096) / 1_048_576);
  }

  /** It is warm now: what it has needed so far counts as its size. */
  begin(): void {
    this.beforeMb = this.nowMb;
  }

  look(): void {
    this.highestMb = Math.max(this.highestMb, this.nowMb);
  }

  figures(): FuzzResult['rssMb'] {
    return { before: this.beforeMb, highest: this.highestMb, after: this.nowMb };
  }
}

/** Nothing may surprise the service: whatever a stranger sends is a warning at most. */
export async function faultsInLog(service: ServiceProcess): Promise<string[]> {
  const lines = (await readFile(service.output, 'utf8')).split('\n');
  return lines
    .filter((line) => /unhandled|uncaught|"level":(50|60)|\b(ERROR|FATAL)\b/i.test(line))
    .slice(0, 5)
    .map((line) => `the log says: ${line.slice(0, 500)}`);
}
