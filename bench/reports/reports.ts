import { BareAedes, strangers } from '../lib/bare-aedes.js';
import { readyFleet } from '../lib/fleet.js';
import { Load } from '../lib/load.js';
import { CpuMeter, untilIdle } from '../lib/process.js';
import { Service } from '../lib/service.js';
import { percentile } from '../lib/stats.js';

interface ReportOptions {
  readonly connections: number;
  /** Of each connection, one after the other's acknowledgement. */
  readonly messages: number;
  readonly profile?: string | undefined;
}

/** Progress reports of devices in mid-update: each is acknowledged once it is in the records. */
export async function reportsToFerry({ connections, messages, profile }: ReportOptions) {
  const service = await Service.start({ FERRY_MQTT_MESSAGES_PER_SECOND: '100000' }, { profile });
  try {
    const { load, firmwareId } = await readyFleet(service, connections, []);
    const { id } = await service.api.createBatchUpdate(firmwareId, { sourceVersions: ['1.0.0'] });
    while ((await service.api.getTask(id)).counts.notified < connections) {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await load.ask({ do: 'pump', messages: 2 });
    await untilIdle(service.pid); // the runs hear of the first progress a moment later: that is bench 1's to measure
    const figures = await pump(load, { service: service.pid }, messages, connections);
    const { counts } = await service.api.getTask(id);
    if (counts.upgrading !== connections) throw new Error(`Only ${counts.upgrading} of ${connections} are upgrading`);
    load.stop();
    return figures;
  } finally {
    await service.stop();
  }
}

/** The same messages of the same clients to a broker without any hook. */
export async function reportsToBareAedes({ connections, messages }: ReportOptions) {
  const broker = await BareAedes.start();
  try {
    const load = Load.start();
    await load.connect(broker.mqttUrl, strangers(connections), []);
    await load.ask({ do: 'pump', messages: 2 });
    const figures = await pump(load, { service: broker.pid }, messages, connections);
    load.stop();
    return figures;
  } finally {
    await broker.stop();
  }
}

async function pump(load: Load, pids: { readonly service: number }, messages: number, connections: number) {
  const meter = new CpuMeter({ ...pids, load: load.pid });
  const { seconds = NaN, acks = [] } = await load.ask({ do: 'pump', messages });
  const cpu = meter.read();
  const total = messages * connections;
  if (acks.length !== total) throw new Error(`Only ${acks.length} of ${total} were acknowledged`);
  return {
    'messages/s': total / seconds,
    'CPU µs/message': (1e6 * cpu.service) / total,
    'load µs/message': (1e6 * cpu.load) / total,
    'p50 ack ms': percentile(acks, 0.5),
    'p99 ack ms': percentile(acks, 0.99),
  };
}
