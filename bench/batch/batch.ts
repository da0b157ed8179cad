import { readyFleet, untilTask } from '../lib/fleet.js';
import { CpuMeter, residentMb } from '../lib/process.js';
import { Service } from '../lib/service.js';
import { percentile } from '../lib/stats.js';

export interface BatchOptions {
  readonly devices: number;
  /** Progress reports of each device, 0 and 100 included. */
  readonly reports: number;
  readonly profile?: string | undefined;
  /** Puts into the data folder what the service is to find there. */
  readonly prepare?: (folder: string) => Promise<void>;
  /** Begins what goes on beside the batch; what it answers is asked for its figures when the batch has ended. */
  readonly alongside?: (service: Service) => Promise<() => Promise<Readonly<Record<string, number>>>>;
}

/** Of fewer devices, half of a batch is over too soon to tell. */
const HALVES_MIN = 1_000;

/** One batch of online devices, the whole way: start, notification, progress, version report, outcome in the records. */
export async function runBatch({ devices, reports, profile, prepare, alongside }: BatchOptions) {
  const service = await Service.start({ FERRY_MQTT_MESSAGES_PER_SECOND: '100000' }, { profile, prepare });
  try {
    const steps = Array.from({ length: reports }, (_, n) => Math.round((100 * n) / (reports - 1)));
    const { load, firmwareId } = await readyFleet(service, devices, steps);
    const before = await service.databaseBytes();
    const meter = new CpuMeter({ service: service.pid, temporal: service.temporalPid, load: load.pid });
    const startedMs = performance.now();
    const beside = await alongside?.(service);
    const batch = await service.api.createBatchUpdate(firmwareId, { sourceVersions: ['1.0.0'] });
    const halves = new Halves(devices, () => cpuOf(meter.read()));
    const { counts, workflow } = await untilTask(service.api, batch.id, (status, { succeeded }) => {
      halves.note(succeeded);
      return status === 'completed';
    });
    const seconds = (performance.now() - startedMs) / 1_000;
    const cpu = meter.read();
    if (counts.succeeded !== devices) throw new Error(`Only ${counts.succeeded} of ${devices} succeeded`);
    const besides = await beside?.();
    const { acks = [] } = await load.ask({ do: 'acks' });
    const after = await service.databaseBytes();
    const histories = await historiesOf(service, batch.id, workflow.id);
    const peakMb = residentMb(service.pid, 'VmHWM');
    const temporalPeakMb = residentMb(service.temporalPid, 'VmHWM');
    load.stop();
    const perDeviceMs = (cpuSeconds: number) => (1_000 * cpuSeconds) / devices;
    return {
      'devices/s': devices / seconds,
      'CPU ms/device': perDeviceMs(cpuOf(cpu)),
      'of the service': perDeviceMs(cpu.service),
      'of Temporal': perDeviceMs(cpu.temporal),
      'of the load': perDeviceMs(cpu.load),
      ...(devices >= HALVES_MIN && { '2nd ÷ 1st half': halves.ratio(cpuOf(cpu)) }),
      'p99 ack ms': percentile(acks, 0.99),
      'peak MB': peakMb,
      'of Temporal, MB': temporalPeakMb,
      'records bytes/device': (after.records - before.records) / devices,
      'engine bytes/device': (after.engine - before.engine) / devices,
      ...histories,
      ...besides,
    };
  } finally {
    await service.stop();
  }
}

const cpuOf = ({ service, temporal }: Readonly<Record<'service' | 'temporal', number>>): number => service + temporal;

/** Whether devices cost more the more have gone before: within one run, since runs minutes apart differ by themselves. */
class Halves {
  private first: { readonly devices: number; readonly cpuSeconds: number } | undefined;

  constructor(
    private readonly devices: number,
    private readonly cpuSeconds: () => number,
  ) {}

  note(done: number): void {
    if (done >= this.devices / 2) this.first ??= { devices: done, cpuSeconds: this.cpuSeconds() };
  }

  /** Of CPU a device. */
  ratio(allCpuSeconds: number): number {
    const { devices, cpuSeconds } = this.first ?? { devices: NaN, cpuSeconds: NaN };
    return (allCpuSeconds - cpuSeconds) / (this.devices - devices) / (cpuSeconds / devices);
  }
}

async function historiesOf({ api }: Service, taskId: string, batchId: string) {
  const [update] = (await api.listDeviceUpdates(taskId, { limit: 1 })).items;
  const size = async (workflowId: string) => {
    const history = (await api.workflowHistory(workflowId)) as { events: unknown[] };
    return { events: history.events.length, kb: JSON.stringify(history).length / 1_024 };
  };
  const [batch, shard] = [await size(batchId), await size(`${batchId}/shard-0`)];
  const device = await size(update?.workflow.id ?? '');
  return {
    ...{ 'batch events': batch.events, 'batch kB': batch.kb, 'shard events': shard.events, 'shard kB': shard.kb },
    'device events': device.events,
  };
}
