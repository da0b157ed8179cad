import { readyFleet } from '../lib/fleet.js';
import { Service } from '../lib/service.js';

/** From the acceptance of a batch to the notification of its first and of its last device, all online. */
export async function runNotification({ devices }: { readonly devices: number }) {
  const service = await Service.start();
  try {
    const { load, firmwareId } = await readyFleet(service, devices, []);
    const { id } = await service.api.createBatchUpdate(firmwareId, { sourceVersions: ['1.0.0'] });
    const acceptedAtMs = performance.timeOrigin + performance.now();
    while ((await service.api.getTask(id)).counts.notified < devices) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const { notifiedAtMs = [] } = await load.ask({ do: 'notified' });
    load.stop();
    if (notifiedAtMs.length !== devices || notifiedAtMs.includes(0)) throw new Error('Not all were notified');
    return {
      'first ms': Math.min(...notifiedAtMs) - acceptedAtMs,
      'last ms': Math.max(...notifiedAtMs) - acceptedAtMs,
    };
  } finally {
    await service.stop();
  }
}
