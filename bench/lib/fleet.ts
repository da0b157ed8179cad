import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Load } from './load.js';
import type { LoadDevice } from './load-process.js';
import type { Service } from './service.js';

const REGISTERED_AT_ONCE = 5_000;
const PRODUCT = 'bench';
/** As many as the raw engine is warmed up with. */
const PIONEERS = 20;

/** A service with connected devices on 1.0.0 and a verified firmware 2.0.0: ready for a batch of all of them. */
export interface ReadyFleet {
  readonly load: Load;
  readonly firmwareId: string;
  readonly devices: readonly LoadDevice[];
  /** Those of the verification. */
  readonly pioneers: readonly LoadDevice[];
}

/** @param steps percentages that each device reports on its way; none: it stays silent when it is notified */
export async function readyFleet(service: Service, count: number, steps: readonly number[]): Promise<ReadyFleet> {
  const devices = await registeredDevices(service, count);
  const pioneers = await register(service, PIONEERS, 'pioneer');
  const load = Load.start();
  const goes = steps.length > 0;
  const inOrder = devices.toSorted((a, b) => (a.deviceName < b.deviceName ? -1 : 1));
  await load.connect(service.mqttUrl, goes ? [...pioneers, ...inOrder] : devices, steps);
  if (goes) return { load, devices, pioneers, firmwareId: await verifiedFirmware(service, '2.0.0', pioneers) };
  // The others stay silent: a load of its own goes through the verification.
  const pioneerLoad = Load.start();
  await pioneerLoad.connect(service.mqttUrl, pioneers, [0, 100]);
  const firmwareId = await verifiedFirmware(service, '2.0.0', pioneers);
  pioneerLoad.stop();
  return { load, devices, pioneers, firmwareId };
}

/** Devices of a new product. */
export async function registeredDevices(service: Service, count: number): Promise<LoadDevice[]> {
  await service.api.createProduct({ productKey: PRODUCT, name: 'Bench' });
  return register(service, count);
}

async function register({ api }: Service, count: number, word = 'device'): Promise<LoadDevice[]> {
  const devices: LoadDevice[] = [];
  for (let from = 0; from < count; from += REGISTERED_AT_ONCE) {
    const names = Array.from({ length: Math.min(REGISTERED_AT_ONCE, count - from) }, (_, n) => `${word}-${from + n}`);
    const registered = await api.registerDevices(
      PRODUCT,
      names.map((deviceName) => ({ deviceName })),
    );
    for (const { deviceName, deviceSecret } of registered.devices) {
      devices.push({ productKey: PRODUCT, deviceName, deviceSecret });
    }
  }
  return devices;
}

/** By a verification of devices that go through it, so that the service is warm. */
export async function verifiedFirmware(
  service: Service,
  version: string,
  pioneers: readonly LoadDevice[],
): Promise<string> {
  const id = await addFirmware(service, version);
  const { api } = service;
  const task = await api.createVerification(id, { deviceNames: pioneers.map(({ deviceName }) => deviceName) });
  await untilTask(api, task.id, (status) => status === 'completed');
  return id;
}

/** @returns its id */
async function addFirmware({ api }: Service, version: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ferry-bench-firmware-'));
  const file = join(folder, 'firmware.bin');
  await writeFile(file, Buffer.alloc(10_240, 7));
  const { id } = await api.addFirmware({ name: 'bench', productKey: PRODUCT, version, file });
  await rm(folder, { recursive: true });
  return id;
}

/** Seldom enough to cost nothing beside what is measured. */
const POLL_MS = 250;

type Task = Awaited<ReturnType<Service['api']['getTask']>>;

export async function untilTask(
  api: Service['api'],
  id: string,
  wanted: (status: string, counts: Task['counts']) => boolean,
): Promise<Task> {
  for (;;) {
    const task = await api.getTask(id);
    if (wanted(task.status, task.counts)) return task;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
