import { setTimeout as sleep } from 'node:timers/promises';
import { BareAedes, strangers } from '../lib/bare-aedes.js';
import { readyFleet, untilTask, type ReadyFleet } from '../lib/fleet.js';
import { Load } from '../lib/load.js';
import { Service } from '../lib/service.js';
import { percentile } from '../lib/stats.js';

const LOOK_MS = 50;
const ARRIVAL_MAX_MS = 10_000;
const nowMs = (): number => performance.timeOrigin + performance.now();

/** From the acceptance of a batch to the notification of its first and of its last device, all online. */
export async function runNotification({ devices }: { readonly devices: number }) {
  const service = await Service.start();
  try {
    const { load, firmwareId } = await readyFleet(service, devices, []);
    const { id } = await service.api.createBatchUpdate(firmwareId, { sourceVersions: ['1.0.0'] });
    const acceptedAtMs = nowMs();
    await untilTask(service.api, id, (_, { notified }) => notified === devices);
    const figures = await firstAndLast(load, { devices, sinceMs: acceptedAtMs });
    await requireOneEach(service, id, devices);
    return figures;
  } finally {
    await service.stop();
  }
}

/** The same message to as many subscribed devices, by a broker that does nothing else. */
export async function publishByBareAedes({ devices }: { readonly devices: number }) {
  const broker = await BareAedes.start();
  try {
    const load = Load.start();
    const crowd = strangers(devices);
    await load.connect(broker.mqttUrl, crowd, []);
    await load.ask({ do: 'subscribe' });
    const topics = crowd.map(({ productKey, deviceName }) => `/ota/device/upgrade/${productKey}/${deviceName}`);
    const startedAtMs = nowMs();
    broker.publish({ topics, payload: NOTIFICATION });
    return await firstAndLast(load, { devices, sinceMs: startedAtMs });
  } finally {
    await broker.stop();
  }
}

/** As long as a real one. */
const NOTIFICATION = JSON.stringify({
  code: '1000',
  data: { size: 10_240, sign: 'ab'.repeat(16), version: '2.0.0', url: `http://127.0.0.1:8080/${'x'.repeat(150)}` },
  id: 1,
  message: 'success',
});

/** From a device's coming online to its notification, for devices that were away when their batch began. */
export async function runResend({ devices }: { readonly devices: number }) {
  const service = await Service.start();
  try {
    const fleet = await readyFleet(service, devices, []);
    const id = await pendingBatch(service, fleet);
    const { sinceConnecting = [], sinceConnack = [] } = await fleet.load.ask({ do: 'arrive' });
    fleet.load.stop();
    if (sinceConnack.length !== devices) throw new Error(`Only ${sinceConnack.length} of ${devices} were notified`);
    await requireOneEach(service, id, devices);
    return {
      'median ms from CONNACK': percentile(sinceConnack, 0.5),
      'p95 ms from CONNACK': percentile(sinceConnack, 0.95),
      'median ms from connecting': percentile(sinceConnecting, 0.5),
      'p95 ms from connecting': percentile(sinceConnecting, 0.95),
    };
  } finally {
    await service.stop();
  }
}

/** One connection is one reason: no device may have got its notification twice. */
async function requireOneEach({ api }: Service, taskId: string, devices: number): Promise<void> {
  const { items } = await api.listDeviceUpdates(taskId, { limit: devices });
  const repeated = items.filter(({ notifications }) => notifications > 1).length;
  if (repeated > 0) throw new Error(`${repeated} of ${devices} devices were notified more than once`);
}

/** A batch of devices that are all away, each of whose runs waits for its device. */
async function pendingBatch({ api }: Service, { load, firmwareId, devices }: ReadyFleet): Promise<string> {
  await load.ask({ do: 'close' });
  while ((await api.getOverview()).devices.online > 0) await sleep(LOOK_MS);
  const { id } = await api.createBatchUpdate(firmwareId, { sourceVersions: ['1.0.0'] });
  for (;;) {
    const { items } = await api.listDeviceUpdates(id, { limit: devices.length });
    if (items.every(({ waitingFor }) => waitingFor?.what === 'online')) return id;
    await sleep(LOOK_MS);
  }
}

/** The records say *notified* before the last message has arrived: it has a moment, and must come. */
async function firstAndLast(load: Load, { devices, sinceMs }: { devices: number; sinceMs: number }) {
  const arrivedAtMs = async () => (await load.ask({ do: 'notified' })).notifiedAtMs ?? [];
  const deadlineMs = nowMs() + ARRIVAL_MAX_MS;
  let notifiedAtMs = await arrivedAtMs();
  while (notifiedAtMs.includes(0) && nowMs() < deadlineMs) {
    await sleep(LOOK_MS);
    notifiedAtMs = await arrivedAtMs();
  }
  load.stop();
  if (notifiedAtMs.length !== devices || notifiedAtMs.includes(0)) throw new Error('Not all were notified');
  return { 'first ms': Math.min(...notifiedAtMs) - sinceMs, 'last ms': Math.max(...notifiedAtMs) - sinceMs };
}
