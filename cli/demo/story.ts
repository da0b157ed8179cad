import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiError, eachItem, type ApiClient } from '../../api/client.js';
import type { PolicyRequestBody } from '../../api/requests.js';
import type { DeviceUpdateAnswer, FirmwareAnswer, TaskAnswer } from '../../api/schemas.js';
import { firmwareName } from '../firmware-name.js';
import { plural, size } from '../printable.js';
import { createFleet, type Fleet } from '../simulator/fleet.js';
import { table } from '../table.js';
import { followTask, taskDisplay, type TaskDisplay } from '../task-watch.js';
import { countsText, failuresTable } from '../task-view.js';
import { CommandFailed } from '../usage-error.js';
import { BATCH, BUSY, CAST, castText, LATECOMERS, PIONEER, REPAIRED, TRIED, UNREPAIRED } from './cast.js';
import { differences, type Expectation } from './expectation.js';
import { INDENT, type Screen } from './screen.js';

const PRODUCT = 'demo';
const OLD = '1.0.0';
const NEW = '2.0.0';
const NEWER = '3.0.0';
const FIRMWARE_BYTES = 1024 * 1024;
/** The latecomers come online when so many others are done. */
const LATECOMERS_AFTER = 8;

export const STEPS = 11;

/** Short, so that every cause is seen within half a minute; the defaults are minutes to days. */
const POLICY: PolicyRequestBody = {
  offlineTimeoutMs: 25_000,
  responseTimeoutMs: 5_000,
  notificationsMax: 2,
  stallTimeoutMs: 10_000,
  confirmationTimeoutMs: 10_000,
  overallTimeoutMs: 300_000,
  reconnectGraceMs: 3_000,
};

export interface StoryGround {
  readonly api: ApiClient;
  readonly mqttUrl: string;
  readonly screen: Screen;
  readonly folder: string;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** Called with the fleet as soon as it exists, so that it is stopped whatever happens. */
  readonly onFleet: (fleet: Fleet) => void;
}

/** The demo's story, one step a method; each proves its part and says so. */
export class Story {
  private readonly expectations: Expectation[] = [];

  constructor(private readonly ground: StoryGround) {}

  /** @throws CommandFailed when something is not as the story tells it */
  async tell(): Promise<void> {
    const fleet = await this.registerFleet();
    const firmware = await this.addFirmware(NEW);
    await this.refuseUnverified(firmware);
    await this.validate(firmware);
    const newer = await this.addFirmware(NEWER, 'Add and validate a second firmware, which the next steps need');
    const occupation = await this.occupyOneDevice(newer);
    const batch = await this.beginBatch(firmware);
    await this.refuseConflict(newer);
    await this.followBatch(batch, fleet);
    await this.listFailures(batch);
    await this.reinitiate(batch, { fleet, occupation });
    await this.sumUp(fleet);
  }

  private async registerFleet(): Promise<Fleet> {
    const { api, screen, mqttUrl, onFleet } = this.ground;
    screen.next(`Register a product and ${plural(CAST.length, 'device')}, and connect them over MQTT`);
    await api.createProduct({ productKey: PRODUCT, name: 'Demo' });
    const { devices } = await api.registerDevices(
      PRODUCT,
      CAST.map(({ deviceName }) => ({ deviceName })),
    );
    const secrets = new Map(devices.map(({ deviceName, deviceSecret }) => [deviceName, deviceSecret]));
    const fleet = createFleet({
      mqttUrl,
      productKey: PRODUCT,
      devices: CAST.map(({ deviceName, behaviour }) => ({
        deviceName,
        behaviour,
        deviceSecret: secrets.get(deviceName) ?? '',
        version: OLD,
      })),
      timing: {
        stepDelayMs: 600,
        burnMs: 500,
        rebootMs: 800,
        slowFactor: 3,
        dropMs: 1_500,
        awayMs: 12_000,
        offlineMs: Infinity,
      },
    });
    onFleet(fleet);
    await fleet.start();
    screen.say(`All report that they run ${OLD}. They will behave as devices do: ${castText()}.`);
    return fleet;
  }

  private async addFirmware(version: string, title = 'Add a firmware'): Promise<FirmwareAnswer> {
    const { api, screen, folder } = this.ground;
    screen.next(title);
    const file = join(folder, `demo-${version}.bin`);
    await writeFile(file, randomBytes(FIRMWARE_BYTES));
    const firmware = await api.addFirmware({ file, name: 'demo', productKey: PRODUCT, version, signMethod: 'MD5' });
    screen.say(`${firmwareName(firmware)}: ${size(firmware.sizeBytes)}, MD5 ${firmware.sign}, ${firmware.status}.`);
    return firmware;
  }

  private async refuseUnverified(firmware: FirmwareAnswer): Promise<void> {
    const { api, screen } = this.ground;
    const refusal = await refused('firmware-not-verified', () =>
      api.createBatchUpdate(firmware.id, { sourceVersions: [OLD] }),
    );
    screen.say(`A batch update is refused for now: ${refusal.message}`);
  }

  private async validate(firmware: FirmwareAnswer): Promise<void> {
    const { api, screen } = this.ground;
    screen.next(`Validate it on ${plural(TRIED.length, 'device')} first: ${TRIED.join(', ')}`);
    const task = await api.createVerification(firmware.id, { deviceNames: TRIED, policy: POLICY });
    const ended = await this.follow(task.id);
    this.expect('verification of 2.0.0', ended, { succeeded: 2, failed: 1, total: 3 });
    const { status } = await api.getFirmware(firmware.id);
    if (status !== 'verified') throw new CommandFailed(`The firmware is ${status} after its verification.`);
    screen.say('One device failed; the firmware is verified all the same: whether it is good enough, people decide.');
  }

  /** @returns the verification that stays open */
  private async occupyOneDevice(newer: FirmwareAnswer): Promise<TaskAnswer> {
    const { api, screen } = this.ground;
    const first = await api.createVerification(newer.id, { deviceNames: PIONEER, policy: POLICY });
    this.expect('verification of 3.0.0', await this.follow(first.id), { succeeded: 1, total: 1 });
    const second = await api.createVerification(newer.id, { deviceNames: BUSY, policy: POLICY });
    await this.follow(second.id, ({ counts }) => counts.upgrading === 1);
    screen.say(
      `It is verified now. A firmware can be validated many times: a second verification goes to ${BUSY.join()}, ` +
        'which never gets done with it, and so is busy when the batch comes.',
    );
    return second;
  }

  private async beginBatch(firmware: FirmwareAnswer): Promise<TaskAnswer> {
    const { api, screen } = this.ground;
    screen.next(`Batch update: every device that runs ${OLD}, to ${NEW}`);
    const batch = await api.createBatchUpdate(firmware.id, { sourceVersions: [OLD], policy: POLICY });
    screen.say(
      `Task ${batch.id}: ${plural(batch.counts.total, 'device')}. As a durable run: ${batch.workflow.url ?? ''}`,
    );
    return batch;
  }

  private async refuseConflict(newer: FirmwareAnswer): Promise<void> {
    const { api, screen } = this.ground;
    screen.next(`Meanwhile, try a second batch from ${OLD}, to ${NEWER}: a conflict`);
    const refusal = await refused('update-task-conflict', () =>
      api.createBatchUpdate(newer.id, { sourceVersions: [OLD] }),
    );
    screen.show(`HTTP ${refusal.status}, application/problem+json:\n${JSON.stringify(refusal.problem, null, 2)}`);
  }

  private async followBatch(batch: TaskAnswer, fleet: Fleet): Promise<void> {
    const { screen } = this.ground;
    screen.next('Follow the batch to its end');
    screen.say(
      `${LATECOMERS.join(' and ')} are offline; they come online once ${LATECOMERS_AFTER} others are done, ` +
        'and are notified then.\nThe last ones are waited for: silent ones get a second notification, stalled and ' +
        'offline ones their time.',
    );
    const shown = taskDisplay(screen.out, INDENT);
    let isCalled = false;
    const display: TaskDisplay = {
      show(task) {
        shown.show(task);
        if (isCalled || task.counts.succeeded < LATECOMERS_AFTER) return;
        isCalled = true;
        // Rejects only when the fleet is stopped.
        fleet.comeBack(LATECOMERS).catch(() => undefined);
      },
      stop: () => shown.stop(),
    };
    const succeeded = BATCH.filter(({ ends }) => ends === 'succeeded').length;
    this.expect('batch update', await this.follow(batch.id, undefined, display), {
      succeeded,
      failed: BATCH.length - succeeded,
      total: BATCH.length,
    });
  }

  private async listFailures(batch: TaskAnswer): Promise<void> {
    const { api, screen } = this.ground;
    screen.next('The update failure list: a brief cause for each failed device');
    const failures = await this.failuresOf(batch.id);
    screen.show(failuresTable(failures));
    const causes = new Map(failures.map(({ deviceName, cause }) => [deviceName, cause]));
    const wrong = BATCH.filter(({ deviceName, ends }) => (causes.get(deviceName) ?? 'succeeded') !== ends);
    if (wrong.length > 0) {
      const told = wrong.map(
        ({ deviceName, ends }) => `${deviceName} ${causes.get(deviceName) ?? 'succeeded'}, expected ${ends}`,
      );
      throw new CommandFailed(`Not every device ended as it behaved: ${told.join('; ')}`);
    }
    const { failuresByCause } = await api.getTask(batch.id);
    screen.say(
      `\nBy cause: ${Object.entries(failuresByCause)
        .map(([cause, count]) => `${cause} ${count}`)
        .join(' · ')}`,
    );
  }

  private async reinitiate(
    batch: TaskAnswer,
    { fleet, occupation }: { readonly fleet: Fleet; readonly occupation: TaskAnswer },
  ): Promise<void> {
    const { api, screen } = this.ground;
    screen.next('Repair the devices, and re-initiate the failed ones');
    screen.say(`The verification that kept ${BUSY.join()} busy is ended; all are repaired but ${UNREPAIRED.join()}.`);
    await api.endVerification(occupation.id);
    this.expect('second verification of 3.0.0', await this.follow(occupation.id), { cancelled: 1, total: 1 });
    await fleet.repair(REPAIRED);
    const task = await api.reinitiate(batch.id);
    const ended = await this.follow(task.id, undefined, taskDisplay(screen.out, INDENT));
    this.expect('re-initiation', ended, {
      succeeded: REPAIRED.length,
      failed: UNREPAIRED.length,
      total: REPAIRED.length + UNREPAIRED.length,
    });
    for (const { deviceName, attempt, detail } of await this.failuresOf(task.id)) {
      screen.say(`${deviceName}, attempt ${attempt}: ${detail ?? ''}`);
    }
  }

  private async sumUp(fleet: Fleet): Promise<void> {
    const { screen } = this.ground;
    screen.next('Summary');
    screen.show(
      table(
        ['task', 'devices', 'succeeded', 'failed', 'cancelled'],
        this.expectations.map(({ what, task: { counts } }) => [
          what,
          counts.total,
          counts.succeeded,
          counts.failed,
          counts.cancelled,
        ]),
      ),
    );
    const problems = [...this.expectations.flatMap(differences), ...(await this.versionProblems(fleet))];
    if (problems.length > 0) throw new CommandFailed(`Not as expected:\n  ${problems.join('\n  ')}`);
    screen.say('\nEvery count is as expected, and the records say of each device what the device says of itself.');
  }

  /** Success is what devices run: the records against the simulated devices' own account. */
  private async versionProblems(fleet: Fleet): Promise<string[]> {
    const { api, screen } = this.ground;
    const running = new Map<string, number>();
    const problems: string[] = [];
    for await (const { deviceName, version } of eachItem((page) => api.listDevices(PRODUCT, page))) {
      running.set(version ?? 'unknown', (running.get(version ?? 'unknown') ?? 0) + 1);
      const own = fleet.version(deviceName);
      if (version !== own) problems.push(`${deviceName} runs ${own}, the records say ${version ?? 'nothing'}`);
    }
    const text = Array.from(running, ([version, count]) => `${plural(count, 'device')} on ${version}`).sort();
    screen.say(`\nNow running: ${text.join(', ')}.`);
    return problems;
  }

  private async failuresOf(taskId: string): Promise<DeviceUpdateAnswer[]> {
    const failures: DeviceUpdateAnswer[] = [];
    const pages = eachItem((page) => this.ground.api.listDeviceUpdates(taskId, { ...page, outcome: 'failed' }));
    for await (const update of pages) failures.push(update);
    return failures;
  }

  private async follow(
    taskId: string,
    until?: (task: TaskAnswer) => boolean,
    display?: TaskDisplay,
  ): Promise<TaskAnswer> {
    const { api, screen, signal } = this.ground;
    const task = await followTask(api, taskId, { display: display ?? SILENT, signal, ...(until ? { until } : {}) });
    if (!task) throw new CommandFailed('Interrupted.');
    if (!display && !until) screen.say(`Task ${task.id} ${task.status}: ${countsText(task.counts)}.`);
    return task;
  }

  private expect(what: string, task: TaskAnswer, counts: Expectation['counts']): void {
    this.expectations.push({ what, task, counts });
  }
}

const SILENT: TaskDisplay = { show: () => undefined, stop: () => undefined };

/** The refusal that a call must meet. @throws CommandFailed when it is accepted */
async function refused(code: string, call: () => Promise<unknown>): Promise<ApiError> {
  try {
    await call();
  } catch (error) {
    if (error instanceof ApiError && error.code === code) return error;
    throw error;
  }
  throw new CommandFailed(`It should have been refused as ${code}, and was accepted.`);
}
