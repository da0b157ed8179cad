import { readyFleet, untilTask, verifiedFirmware } from '../lib/fleet.js';
import { MemoryMeter } from '../lib/memory.js';
import { residentMb } from '../lib/process.js';
import { Service } from '../lib/service.js';
import { cellOf } from '../lib/stats.js';

export interface SoakOptions {
  /** Batches, one after the other, of all devices. */
  readonly batches: number;
  readonly devices: number;
  readonly stillLooks: number;
  readonly restSeconds: number;
}

interface Look {
  readonly serviceMb: number;
  readonly temporalMb: number;
}

/** Between looks at the heap, which collect the garbage first: the memory in between must be what a service has. */
const LOOKS_AT_THE_HEAP = 6;

/**
 * The same devices updated again and again, from one version to another and back: what a service holds must not grow with
 * what it has done.
 */
export async function runSoak({ batches, devices, ...looks }: SoakOptions) {
  const memory = await MemoryMeter.create(looks);
  const service = await Service.start(
    { FERRY_MQTT_MESSAGES_PER_SECOND: '100000' },
    { nodeOptions: memory.nodeOptions },
  );
  try {
    const { load, firmwareId, pioneers } = await readyFleet(service, devices, [0, 50, 100]);
    const other = await verifiedFirmware(service, '3.0.0', pioneers);
    const seen: Look[] = [];
    const heapMb: number[] = [(await memory.read(service.pid)).heapMb];
    const startedMs = performance.now();
    for (let n = 0; n < batches; n++) {
      const { firmware, from } = wayOf(n, firmwareId, other);
      const policy = { allowDowngrade: true };
      const { id } = await service.api.createBatchUpdate(firmware, { sourceVersions: [from], policy });
      const { counts } = await untilTask(service.api, id, (status) => status === 'completed');
      if (counts.succeeded < devices) throw new Error(`Only ${counts.succeeded} of ${devices} succeeded in batch ${n}`);
      seen.push({ serviceMb: residentMb(service.pid), temporalMb: residentMb(service.temporalPid) });
      if ((n + 1) % Math.ceil(batches / LOOKS_AT_THE_HEAP) === 0) heapMb.push((await memory.read(service.pid)).heapMb);
    }
    const seconds = (performance.now() - startedMs) / 1_000;
    load.stop();
    return { 'devices/s': (batches * devices) / seconds, ...thirds(seen), ...heapOf(heapMb) };
  } finally {
    await service.stop();
    await memory.dispose();
  }
}

/** From 1.0.0 to 2.0.0, and then to 3.0.0 and back. */
function wayOf(batch: number, second: string, third: string): { readonly firmware: string; readonly from: string } {
  if (batch === 0) return { firmware: second, from: '1.0.0' };
  return batch % 2 === 1 ? { firmware: third, from: '2.0.0' } : { firmware: second, from: '3.0.0' };
}

/** The first third is the warm-up; the others must be alike. */
function thirds(seen: readonly Look[]) {
  const third = (n: number) => seen.slice(Math.floor((n * seen.length) / 3), Math.ceil(((n + 1) * seen.length) / 3));
  const [second, last] = [third(1), third(2)];
  const median = (looks: readonly Look[], of: (look: Look) => number) => cellOf(looks.map(of)).median;
  const highest = (looks: readonly Look[], of: (look: Look) => number) => cellOf(looks.map(of)).highest;
  return {
    'MB 2nd third': median(second, ({ serviceMb }) => serviceMb),
    'its peak': highest(second, ({ serviceMb }) => serviceMb),
    'MB 3rd third': median(last, ({ serviceMb }) => serviceMb),
    'peak of that': highest(last, ({ serviceMb }) => serviceMb),
    'Temporal MB 2nd': median(second, ({ temporalMb }) => temporalMb),
    'Temporal MB 3rd': median(last, ({ temporalMb }) => temporalMb),
  };
}

const heapOf = (heapMb: readonly number[]) => ({
  'heap MB at first': heapMb[0] ?? NaN,
  'after a third': heapMb[Math.floor(heapMb.length / 3)] ?? NaN,
  'after two': heapMb[Math.floor((2 * heapMb.length) / 3)] ?? NaN,
  'at last': heapMb.at(-1) ?? NaN,
});
