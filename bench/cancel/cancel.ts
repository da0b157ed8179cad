import { setTimeout as sleep } from 'node:timers/promises';
import { readyFleet, untilTask } from '../lib/fleet.js';
import { CpuMeter } from '../lib/process.js';
import { Service } from '../lib/service.js';

const LOOK_MS = 100;

/**
 * A batch of devices that are all away is cancelled when each has its run: what it costs to stop what no device was
 * told of, beside what it cost to start it; and whether the next batch of the same source versions is taken at once.
 */
export async function runCancel({ devices }: { readonly devices: number }) {
  const service = await Service.start({ FERRY_MQTT_MESSAGES_PER_SECOND: '100000' });
  try {
    const { api } = service;
    const { load, firmwareId } = await readyFleet(service, devices, []);
    await load.ask({ do: 'close' });
    load.stop();
    while ((await api.getOverview()).devices.online > 0) await sleep(LOOK_MS);
    const meter = new CpuMeter({ service: service.pid, temporal: service.temporalPid });
    const cpuMs = () => Object.values(meter.read()).reduce((sum, seconds) => sum + 1_000 * seconds, 0);

    const startedMs = performance.now();
    const { id } = await api.createBatchUpdate(firmwareId, { sourceVersions: ['1.0.0'] });
    await untilAllBegun(service, id, devices);
    const startSeconds = (performance.now() - startedMs) / 1_000;
    const startCpuMs = cpuMs();

    const cancelledMs = performance.now();
    const since = () => (performance.now() - cancelledMs) / 1_000;
    await api.cancelTask(id);
    const acceptedMs = 1_000 * since();
    await api.createBatchUpdate(firmwareId, { sourceVersions: ['1.0.0'], deviceNames: ['device-0'] });
    const nextBatchMs = 1_000 * since();
    await untilTask(api, id, (_, { cancelled }) => cancelled === devices);
    const recordedSeconds = since();
    await untilTask(api, id, (status) => status === 'cancelled');
    const endSeconds = since();
    const cancelCpuMs = cpuMs() - startCpuMs;
    return {
      'started/s': devices / startSeconds,
      'cancelled/s': devices / endSeconds,
      'cancel ÷ start, time': endSeconds / startSeconds,
      'cancel ÷ start, CPU': cancelCpuMs / startCpuMs,
      'CPU ms/start': startCpuMs / devices,
      'CPU ms/cancel': cancelCpuMs / devices,
      'accepted ms': acceptedMs,
      'next batch ms': nextBatchMs,
      'recorded s': recordedSeconds,
    };
  } finally {
    await service.stop();
  }
}

async function untilAllBegun({ api }: Service, taskId: string, devices: number): Promise<void> {
  const limit = 500;
  let begun = 0;
  let cursor: string | undefined;
  while (begun < devices) {
    const page = await api.listDeviceUpdates(taskId, { limit, ...(cursor !== undefined && { cursor }) });
    if (page.items.some(({ waitingFor }) => waitingFor?.what !== 'online')) {
      await sleep(LOOK_MS);
      continue;
    }
    begun += page.items.length;
    cursor = page.nextCursor ?? undefined;
  }
}
