import { BareAedes, strangers } from '../lib/bare-aedes.js';
import { registeredDevices } from '../lib/fleet.js';
import type { LoadDevice } from '../lib/load-process.js';
import { Load } from '../lib/load.js';
import { COLLECTING, heldMb } from '../lib/memory.js';
import { CpuMeter, residentMb } from '../lib/process.js';
import { Service } from '../lib/service.js';

export interface IdleOptions {
  readonly connections: number;
  readonly profile?: string | undefined;
}

/** Connections before the first look: what a process allocates once is not the connections'. */
const WARM_UP = 100;
const IDLE_SECONDS = 10;
const LOOK_MS = 50;

/** Connected devices that do nothing, then all of them gone and back at once, then all of them gone. */
export async function idleOnFerry({ connections, profile }: IdleOptions) {
  const service = await Service.start({}, profile, COLLECTING);
  try {
    const devices = await registeredDevices(service, connections);
    const presence = () => untilOnline(service, connections);
    const { load, ...figures } = await measure(service, { devices, presence });
    const closingMs = performance.now();
    await load.ask({ do: 'close' });
    await untilOnline(service, 0);
    load.stop();
    return { ...figures, 's until offline': secondsSince(closingMs) };
  } finally {
    await service.stop();
  }
}

/** The same connections to a broker that asks for no secret and knows no presence. */
export async function idleOnBareAedes({ connections }: IdleOptions) {
  const broker = await BareAedes.start(COLLECTING);
  try {
    const presence = () => Promise.resolve();
    const { load, ...figures } = await measure(broker, { devices: strangers(connections), presence });
    load.stop();
    return figures;
  } finally {
    await broker.stop();
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
}

async function measure({ mqttUrl, pid }: Subject, { devices, presence }: Crowd) {
  const load = Load.start();
  await load.connect(mqttUrl, devices.slice(0, WARM_UP), []);
  await load.ask({ do: 'close' });
  const beforeMb = await heldMb(pid);
  await load.connect(mqttUrl, devices, []);
  await presence();
  const idleMb = await heldMb(pid);
  const idling = new CpuMeter({ subject: pid });
  await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1_000));
  const idleCpu = idling.read().subject;
  const meter = new CpuMeter({ subject: pid, load: load.pid });
  const startedMs = performance.now();
  const { seconds = NaN, failures = NaN } = await load.ask({ do: 'reconnect' });
  await presence();
  const presentSeconds = secondsSince(startedMs);
  const cpu = meter.read();
  return {
    load,
    'MB before': beforeMb,
    'MB idle': idleMb,
    'kB/connection': (1_024 * (idleMb - beforeMb)) / devices.length,
    'idle CPU %': (100 * idleCpu) / IDLE_SECONDS,
    's until connected': seconds,
    's until present': presentSeconds,
    'failed attempts': failures,
    'CPU ms/reconnect': (1_000 * cpu.subject) / devices.length,
    'load ms/reconnect': (1_000 * cpu.load) / devices.length,
    'MB after': await heldMb(pid),
    'peak MB': residentMb(pid, 'VmHWM'),
  };
}

const secondsSince = (ms: number): number => (performance.now() - ms) / 1_000;

async function untilOnline({ api }: Service, wanted: number): Promise<void> {
  while ((await api.getOverview()).devices.online !== wanted) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
