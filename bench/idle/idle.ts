import { BareAedes, strangers } from '../lib/bare-aedes.js';
import { registeredDevices } from '../lib/fleet.js';
import type { LoadDevice } from '../lib/load-process.js';
import { Load } from '../lib/load.js';
import { MemoryMeter } from '../lib/memory.js';
import { CpuMeter, residentMb } from '../lib/process.js';
import { Service } from '../lib/service.js';

export interface IdleOptions {
  readonly connections: number;
  /** Looks at the memory that have to be the same before it is noted. */
  readonly stillLooks: number;
  /** Before the first of them. */
  readonly restSeconds: number;
  readonly profile?: string | undefined;
}

/** Connections before the first look: what a process allocates once is not the connections'. */
const WARM_UP = 100;
const IDLE_SECONDS = 10;
const LOOK_MS = 50;

/** Connected devices that do nothing, then all of them gone and back at once, then all of them gone. */
export async function idleOnFerry({ connections, profile, ...looks }: IdleOptions) {
  const memory = await MemoryMeter.create(looks);
  const service = await Service.start({}, { profile, nodeOptions: memory.nodeOptions });
  try {
    const devices = await registeredDevices(service, connections);
    const presence = () => untilOnline(service, connections);
    const { load, ...figures } = await measure(service, { devices, presence, memory });
    const closingMs = performance.now();
    await load.ask({ do: 'close' });
    await untilOnline(service, 0);
    load.stop();
    return { ...figures, 's until offline': secondsSince(closingMs) };
  } finally {
    await service.stop();
    await memory.dispose();
  }
}

/**
 * The same connections to a broker that asks for no secret and knows no presence.
 *
 * @param isBesideWorker whether a Temporal worker without work is in its process: what any engine on it has to carry
 */
export async function idleOnBareAedes({ connections, ...looks }: IdleOptions, isBesideWorker = false) {
  const memory = await MemoryMeter.create(looks);
  const broker = await BareAedes.start(memory.nodeOptions, isBesideWorker);
  try {
    const presence = () => Promise.resolve();
    const { load, ...figures } = await measure(broker, { devices: strangers(connections), presence, memory });
    load.stop();
    return figures;
  } finally {
    await broker.stop();
    await memory.dispose();
  }
}

interface Subject {
  readonly mqttUrl: string;
  readonly pid: number;
}

interface Crowd {
  readonly devices: readonly LoadDevice[];
  /** Resolves when the records say that all of them are online. */
  readonly presence: () => Promise<void>;
  readonly memory: MemoryMeter;
}

async function measure(subject: Subject, crowd: Crowd) {
  const { devices, presence, memory } = crowd;
  const { pid, mqttUrl } = subject;
  const load = Load.start();
  await load.connect(mqttUrl, devices.slice(0, WARM_UP), []);
  await load.ask({ do: 'close' });
  const before = await memory.read(pid);
  await load.connect(mqttUrl, devices, []);
  await presence();
  const idle = await memory.read(pid);
  const perConnectionKb = (growthMb: number) => (1_024 * growthMb) / devices.length;
  return {
    load,
    'MB before': before.processMb,
    'MB idle': idle.processMb,
    'kB/connection': perConnectionKb(idle.processMb - before.processMb),
    'heap kB/connection': perConnectionKb(idle.heapMb - before.heapMb),
    'idle CPU %': await idleCpu(pid),
    ...(await massReconnect(pid, load, crowd)),
    'MB after': (await memory.read(pid)).processMb,
    'peak MB': residentMb(pid, 'VmHWM'),
  };
}

async function idleCpu(pid: number): Promise<number> {
  const meter = new CpuMeter({ subject: pid });
  await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1_000));
  return (100 * meter.read().subject) / IDLE_SECONDS;
}

async function massReconnect(pid: number, load: Load, { devices, presence }: Crowd) {
  const meter = new CpuMeter({ subject: pid, load: load.pid });
  const startedMs = performance.now();
  const { seconds = NaN, failures = NaN } = await load.ask({ do: 'reconnect' });
  await presence();
  const presentSeconds = secondsSince(startedMs);
  const cpu = meter.read();
  return {
    's until connected': seconds,
    's until present': presentSeconds,
    'failed attempts': failures,
    'CPU ms/reconnect': (1_000 * cpu.subject) / devices.length,
    'load ms/reconnect': (1_000 * cpu.load) / devices.length,
  };
}

const secondsSince = (ms: number): number => (performance.now() - ms) / 1_000;

async function untilOnline({ api }: Service, wanted: number): Promise<void> {
  while ((await api.getOverview()).devices.online !== wanted) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
