import { createHash, randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eachItem } from '../../api/client.js';
import type { TaskAnswer } from '../../api/schemas.js';
import type { Behaviour } from '../../cli/simulator/behaviour.js';
import { createFleet, type Fleet, type FleetDevice } from '../../cli/simulator/fleet.js';
import { FLAVOURS } from '../../cli/simulator/flavour.js';
import { seededRandom } from '../../cli/simulator/random.js';
import { ServiceProcess } from '../support/service-process.js';
import { judge, type Verdict } from './judge.js';
import { Killer, KILLS, type Recovery } from './killer.js';
import { Ledger } from './ledger.js';

export interface ChaosOptions {
  readonly seed: number;
  readonly devices: number;
  readonly kills: number;
  /** An empty folder: for the service's data and output. */
  readonly folder: string;
  readonly say: (line: string) => void;
}

export interface ChaosResult extends Verdict {
  readonly seed: number;
  readonly devices: number;
  readonly tasks: number;
  readonly seconds: number;
  readonly recoveries: readonly Recovery[];
  readonly outcomes: Readonly<Record<string, number>>;
  readonly reportsSent: number;
  readonly reportsAcknowledged: number;
  readonly notifications: number;
  readonly cancels: number;
}

const PRODUCT = 'chaos';
/** Long against a restart, short against the run: an outage of ours must not be a device's failure. */
const POLICY = {
  offlineTimeoutMs: 600_000,
  responseTimeoutMs: 8_000,
  notificationsMax: 2,
  stallTimeoutMs: 45_000,
  confirmationTimeoutMs: 45_000,
  overallTimeoutMs: 900_000,
  reconnectGraceMs: 3_000,
};
const TIMING = {
  ...{ progressReports: 6, stepDelayMs: 400, burnMs: 300, rebootMs: 300, slowFactor: 6, dropMs: 1_500 },
  ...{ offlineMs: 15_000, awayMs: 55_000, reconnectMs: 300, reconnectMaxMs: 2_000 },
};
/** Of a hundred devices. */
const MIXTURE: readonly (readonly [Behaviour, number])[] = [
  ['ok', 42],
  ['slow', 14],
  ['drops', 10],
  ['offline-then-online', 8],
  ['download-failed', 4],
  ['verification-failed', 4],
  ['extraction-failed', 3],
  ['silent', 3],
  ['stalls', 2],
  ['stays-on-old-version', 2],
  ['restarts', 3],
  ['unacknowledged', 2],
  ['quiet', 1],
  ['busy', 2],
  // Away for longer than the stall time: it must not be held against it.
  ['away-in-mid-update', 1],
];

/**
 * Updates a simulated fleet again and again while the service's processes are killed, and compares at the end what the
 * devices lived through with what the records say.
 */
export async function chaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, folder, say } = options;
  const random = seededRandom(seed);
  const service = await ServiceProcess.at(folder, { FERRY_LOG_LEVEL: 'warn' });
  let fleet: Fleet | undefined;
  try {
    await service.start();
    const devices = await register(service, options);
    fleet = createFleet({ mqttUrl: service.mqttUrl, productKey: PRODUCT, devices, timing: TIMING, seed });
    const ledger = new Ledger(fleet, devices);
    await fleet.start();
    const startedMs = performance.now();
    const killer = new Killer({ service, random, nextReport: () => ledger.nextReport() });
    const waves = new Waves(options, service, devices);
    const kills = Array.from({ length: options.kills }, (_, i) => KILLS[i % KILLS.length] ?? 'all');
    const plan = shuffled(kills, random);
    for (const [i, kill] of plan.entries()) {
      await waves.keepBusy();
      // Accepted an instant before the kill: an operator's request must survive it too.
      if (kill !== 'temporal') await waves.cancelOne();
      await killer.strike(kill);
      say(`kill ${i + 1} of ${plan.length}: ${kill}; ${ledger.acknowledgedReports} reports acknowledged`);
    }
    await waves.settle();
    const verdict = await judge(service, ledger);
    // Those that no report came after settle with the end of the process.
    await service.signal('SIGTERM');
    return {
      ...verdict,
      ...{ seed, devices: devices.length, tasks: waves.tasks.length, outcomes: waves.outcomes, cancels: waves.cancels },
      seconds: Math.round((performance.now() - startedMs) / 1_000),
      recoveries: await Promise.all(killer.recoveries),
      reportsSent: fleet.counts().reportsSent,
      reportsAcknowledged: ledger.acknowledgedReports,
      notifications: ledger.notifications.length,
    };
  } finally {
    await fleet?.stop();
    await service.destroy();
  }
}

async function register(service: ServiceProcess, { devices: count, seed }: ChaosOptions): Promise<FleetDevice[]> {
  const behaviours = MIXTURE.flatMap(([behaviour, share]) =>
    Array.from({ length: Math.max(1, Math.round((share * count) / 100)) }, () => behaviour),
  );
  while (behaviours.length < count) behaviours.unshift('ok');
  const chosen = shuffled(behaviours.slice(-count), seededRandom(seed));
  const devices = chosen.map((behaviour, i) => ({
    deviceName: `${behaviour}-${String(i).padStart(3, '0')}`,
    deviceSecret: createHash('sha256').update(`${seed} ${i}`).digest('hex').slice(0, 32),
    version: '1',
    behaviour,
    flavour: FLAVOURS[i % FLAVOURS.length] ?? FLAVOURS[0],
  }));
  await service.api.createProduct({ productKey: PRODUCT, name: 'Chaos' });
  await service.api.registerDevices(
    PRODUCT,
    devices.map(({ deviceName, deviceSecret }) => ({ deviceName, deviceSecret })),
  );
  return devices;
}

/** Batch after batch over the whole fleet: there is always an update under way to be disturbed. */
class Waves {
  readonly tasks: string[] = [];
  cancels = 0;
  outcomes: Readonly<Record<string, number>> = {};
  private version = 1;
  private current: string | undefined;
  private readonly cancellable: string[];
  private readonly pioneer: string;

  constructor(
    private readonly options: ChaosOptions,
    private readonly service: ServiceProcess,
    devices: readonly FleetDevice[],
  ) {
    const named = (wanted: Behaviour) => devices.filter(({ behaviour }) => behaviour === wanted);
    this.cancellable = named('busy').map(({ deviceName }) => deviceName);
    this.pioneer = named('ok')[0]?.deviceName ?? '';
  }

  /** Begins the next batch when there is none, or the present one has nobody left to update. */
  async keepBusy(): Promise<void> {
    if (this.current !== undefined) {
      const { status, counts } = await this.service.api.getTask(this.current);
      const open = counts.pending + counts.notified + counts.upgrading;
      if (status !== 'completed' && open > 2) return;
      await this.settle();
    }
    this.current = await this.begin();
  }

  /** Cancels the update of a device that would go on for ever, if there is one left. */
  async cancelOne(): Promise<void> {
    const [deviceName] = this.cancellable;
    if (deviceName === undefined || this.current === undefined) return;
    const { items } = await this.service.api.listDeviceUpdates(this.current, { search: deviceName });
    if (items[0]?.status !== 'upgrading') return;
    await this.service.api.cancelDeviceUpdate(this.current, deviceName);
    this.cancellable.shift();
    this.cancels++;
  }

  /** Waits for the present batch to end by itself; what would go on for ever is cancelled. */
  async settle(): Promise<void> {
    while (this.current !== undefined) {
      const task = await this.service.api.getTask(this.current);
      if (task.status === 'completed') this.current = undefined;
      else if (task.counts.upgrading > 0) await this.cancelOne();
      if (this.current !== undefined) await new Promise((resolve) => setTimeout(resolve, 250));
    }
    await this.countOutcomes();
  }

  private async begin(): Promise<string> {
    const { api } = this.service;
    const version = String(++this.version);
    const file = join(this.options.folder, `firmware-${version}.bin`);
    await writeFile(file, createHash('sha512').update(version).digest().toString('hex').repeat(2_000));
    const firmware = await api.addFirmware({ name: 'chaos', productKey: PRODUCT, version, file });
    const verification = await this.create(() =>
      api.createVerification(firmware.id, { deviceNames: [this.pioneer], policy: POLICY }),
    );
    await this.ended(verification);
    const sourceVersions = Array.from({ length: this.version - 1 }, (_, i) => String(i + 1));
    return this.create(() =>
      api.createBatchUpdate(firmware.id, { sourceVersions, policy: POLICY }, { idempotencyKey: randomUUID() }),
    );
  }

  private async create(request: () => Promise<TaskAnswer>): Promise<string> {
    const { id } = await request();
    this.tasks.push(id);
    return id;
  }

  private async ended(taskId: string): Promise<void> {
    for await (const _event of this.service.api.taskEvents(taskId)) {
      if ((await this.service.api.getTask(taskId)).status === 'completed') return;
    }
  }

  private async countOutcomes(): Promise<void> {
    const outcomes: Record<string, number> = {};
    for (const taskId of this.tasks) {
      for await (const update of eachItem((page) => this.service.api.listDeviceUpdates(taskId, page))) {
        const end = update.cause ?? update.outcome ?? update.status;
        outcomes[end] = (outcomes[end] ?? 0) + 1;
      }
    }
    this.outcomes = outcomes;
  }
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
