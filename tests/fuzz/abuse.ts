import { connect, type Socket } from 'node:net';
import { generate } from 'mqtt-packet';
import { Device } from '../e2e/device.js';
import { ServiceProcess } from '../support/service-process.js';
import { connectPacket, type Credentials } from './cases.js';
import { faultsInLog, Memory } from './fuzz.js';

export interface AbuseResult {
  readonly seconds: number;
  readonly connections: number;
  /** One a tenth of the time. */
  readonly rssMb: readonly number[];
  /** Slowest acknowledgement that the legitimate device has seen. */
  readonly slowestAckMs: number;
  readonly broken: readonly string[];
}

/** Of the warm process: what it may grow by, however long it is abused. */
const GROWTH_MB_MAX = 150;
const TENTHS = 10;
/** Sockets that one kind of abuser holds at once. */
const EACH = 100;

/**
 * Abuses the real service in every way at once, for a time: connections that never say a word, that say it byte by byte,
 * that fail to sign in, that never read, that report without end, that leave quality 2 half-done. Meanwhile a legitimate
 * device reports every 100 ms.
 */
export async function abuse(
  minutes: number,
  { folder, say }: { readonly folder: string; readonly say: (line: string) => void },
): Promise<AbuseResult> {
  const service = await ServiceProcess.at(folder, { FERRY_LOG_LEVEL: 'error', FERRY_MQTT_CONNECT_SECONDS: '5' });
  await service.start();
  const stop = new AbortController();
  try {
    const register = async (deviceName: string): Promise<Credentials> => {
      const { devices } = await service.api.registerDevices('lamp', [{ deviceName }]);
      return { productKey: 'lamp', deviceName, deviceSecret: devices[0]?.deviceSecret ?? '' };
    };
    await service.api.createProduct({ productKey: 'lamp', name: 'Lamp' });
    const [honest, flooding, unread, half] = [
      await register('honest'),
      await register('flooding'),
      await register('unread'),
      await register('half'),
    ];
    const legitimate = report(service, honest, stop.signal);
    const port = Number(new URL(service.mqttUrl).port);
    const crowd = new Crowd(port, stop.signal);
    const wrong = { ...honest, deviceSecret: 'not-the-secret' };
    crowd.keep(EACH, () => undefined); // never a word
    crowd.keep(EACH, (socket) => drip(socket, connectPacket(honest).subarray(0, -1)));
    crowd.keep(20, (socket) => socket.write(connectPacket(wrong)));
    crowd.keep(4, (socket) => pour(socket, connectPacket(flooding), publish(flooding, 'inform', 1)));
    crowd.keep(4, (socket) => {
      socket.pause();
      pour(socket, connectPacket(unread), clockQuery(unread));
    });
    crowd.keep(4, (socket) => pour(socket, connectPacket(half), publish(half, 'inform', 2)));
    crowd.keep(20, (socket) => socket.write(Buffer.alloc(100_000, 0x30)));

    const memory = new Memory(service.pid);
    const rssMb: number[] = [];
    const startedMs = performance.now();
    for (let n = 0; n < TENTHS; n++) {
      await new Promise((resolve) => setTimeout(resolve, (minutes * 60_000) / TENTHS));
      if (!service.isRunning) throw new Error(`The service has ended:\n${await service.lastWords()}`);
      rssMb.push(memory.nowMb);
      say(`${Math.round((performance.now() - startedMs) / 1_000)} s: ${memory.nowMb} MB, ${crowd.opened} connections`);
    }
    const seconds = (performance.now() - startedMs) / 1_000;
    stop.abort();
    await crowd.gone();
    const { slowestAckMs, fault } = await legitimate;
    const broken = fault === undefined ? [] : [fault];
    const [warm, last] = [Math.max(...rssMb.slice(0, 3)), rssMb.at(-1) ?? 0];
    if (last > warm + GROWTH_MB_MAX) broken.push(`memory grew from ${warm} to ${last} MB`);
    broken.push(...(await faultsInLog(service)));
    return { seconds, connections: crowd.opened, rssMb, slowestAckMs, broken };
  } finally {
    stop.abort();
    await service.destroy();
  }
}

/** Sockets of abusers: each that is closed is replaced by a new one. */
class Crowd {
  opened = 0;
  private readonly sockets = new Set<Socket>();

  constructor(
    private readonly port: number,
    private readonly signal: AbortSignal,
  ) {}

  keep(count: number, begin: (socket: Socket) => void): void {
    const open = () => {
      if (this.signal.aborted) return;
      const socket = connect(this.port, '127.0.0.1', () => begin(socket));
      this.opened++;
      this.sockets.add(socket);
      socket.on('error', () => undefined).resume();
      socket.once('close', () => {
        this.sockets.delete(socket);
        setTimeout(open, 20);
      });
    };
    for (let n = 0; n < count; n++) open();
  }

  async gone(): Promise<void> {
    await Promise.all(
      Array.from(this.sockets, (socket) => {
        const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
        socket.destroy();
        return closed;
      }),
    );
  }
}

function drip(socket: Socket, bytes: Buffer): void {
  let at = 0;
  const timer = setInterval(() => {
    if (at < bytes.length) socket.write(bytes.subarray(at, ++at));
  }, 100);
  socket.once('close', () => clearInterval(timer));
}

function pour(socket: Socket, first: Buffer, packet: Buffer): void {
  const many = Buffer.concat(Array.from({ length: 200 }, () => packet));
  const go = () => {
    while (!socket.destroyed && socket.write(many));
  };
  socket.write(first);
  socket.on('drain', go);
  go();
}

const publish = ({ productKey, deviceName }: Credentials, kind: string, qos: 1 | 2): Buffer =>
  generate({
    ...{ cmd: 'publish', topic: `/ota/device/${kind}/${productKey}/${deviceName}`, qos, messageId: 7 },
    ...{ payload: '{"id":1,"params":{"version":"1.0.0"}}', dup: false, retain: false },
  });

const clockQuery = ({ productKey, deviceName }: Credentials): Buffer =>
  generate({
    ...{ cmd: 'publish', topic: `/ext/ntp/${productKey}/${deviceName}/request`, qos: 0 },
    ...{ payload: '{"deviceSendTime":"1"}', dup: false, retain: false },
  });

/** A legitimate device, in the middle of it all. */
async function report(service: ServiceProcess, honest: Credentials, signal: AbortSignal) {
  const { productKey, deviceName, deviceSecret } = honest;
  let slowestAckMs = 0;
  try {
    const device = await Device.connect(service.mqttUrl, productKey, deviceName, deviceSecret);
    for (let n = 0; !signal.aborted; n++) {
      const sentMs = performance.now();
      const isAcknowledged = await device.tryRuns(`1.${n % 10}.0`);
      if (isAcknowledged === 'closed') return { slowestAckMs, fault: 'the legitimate device was thrown out' };
      slowestAckMs = Math.max(slowestAckMs, performance.now() - sentMs);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await device.leave();
    return { slowestAckMs };
  } catch (error) {
    return { slowestAckMs, fault: `the legitimate device was not served: ${String(error)}` };
  }
}
