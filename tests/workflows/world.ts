import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker, type WorkflowBundleOption } from '@temporalio/worker';
import { inject } from 'vitest';
import { createActivities } from '../../activities/activities.js';
import type { DeviceRuns } from '../../activities/device-runs.js';
import type { Publisher } from '../../activities/publisher.js';
import type { FailureCause } from '../../domain/causes.js';
import type { DeviceProtocol } from '../../domain/device-update.js';
import { initialState, succeeded } from '../../domain/device-update.js';
import { deviceUpdateWorkflowId, SEARCH_ATTRIBUTES, TASK_QUEUE, type TaskKind } from '../../domain/ids.js';
import { APPROVAL_TIMEOUT_MS, DEVICE_RUN_EVENTS_MAX, resolvePolicy, type UpdatePolicy } from '../../domain/policy.js';
import type { DeviceUpdateRecord, OpenDeviceUpdate, Records, TaskRecord } from '../../records/records.js';
import { failureSignal, fetchedSignal, onlineSignal, progressSignal, versionSignal } from '../../workflows/messages.js';
import { taskRunOptions } from '../../workflows/task-input.js';
import { createDeviceRuns } from '../../worker/device-runs.js';
import { PROJECT_FOLDER } from '../../worker/paths.js';
import { SILENT_STORY } from '../../worker/replay/silent-story.js';
import { createTerminatedByEngine } from '../../worker/temporal/termination.js';
import { openTestRecords } from '../support/records.js';

/** Temporal's wire number of the search attribute type. */
const KEYWORD = 2;

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/**
 * The real workflows and activities over real records on a server that skips time; only the devices are the test's.
 * One world a file: time is the server's.
 */
export async function startWorld(): Promise<World> {
  return populate(
    await patiently(() =>
      TestWorkflowEnvironment.createTimeSkipping({
        server: { executable: { type: 'existing-path', path: inject('timeSkippingServer') } },
      }),
    ),
  );
}

/** The SDK gives a server five seconds to start, which a Java process on a busy machine may need longer than. */
async function patiently<T>(start: () => Promise<T>, tries = 12): Promise<T> {
  for (let left = tries; ; left--) {
    try {
      return await start();
    } catch (error) {
      if (left <= 1 || !String(error).includes('did not start within')) throw error;
    }
  }
}

/** The same on Temporal's dev server, for what the time-skipping one does not do: tell a parent of a termination. */
export async function startRealTimeWorld(serverArguments: readonly string[] = []): Promise<World> {
  return populate(
    await patiently(() =>
      TestWorkflowEnvironment.createLocal({
        server: {
          executable: { type: 'existing-path', path: inject('temporalCli') },
          extraArgs: [...serverArguments],
        },
      }),
    ),
  );
}

async function populate(env: TestWorkflowEnvironment): Promise<World> {
  await env.connection.operatorService.addSearchAttributes({
    namespace: env.namespace ?? 'default',
    searchAttributes: Object.fromEntries(Object.values(SEARCH_ATTRIBUTES).map((name) => [name, KEYWORD])),
  });
  const { records, close } = await openTestRecords();
  const devices = new FakeDevices(env);
  const runs = new WatchedRuns(createDeviceRuns(env.client));
  const startWorker = async (workflowBundle: WorkflowBundleOption) => {
    const worker = await Worker.create({
      connection: env.nativeConnection,
      namespace: env.namespace ?? 'default',
      taskQueue: TASK_QUEUE,
      workflowBundle,
      sinks: SILENT_STORY,
      activities: createActivities({
        records,
        publisher: devices,
        terminatedByEngine: createTerminatedByEngine(env.client),
        runs,
        isIntact: async () => devices.file,
      }),
    });
    const running = worker.run();
    return async () => {
      worker.shutdown();
      await running;
    };
  };
  let stopWorker = await startWorker({ codePath: join(PROJECT_FOLDER, 'dist', 'workflow-bundle.js') });
  const deploy = async (workflowBundle: WorkflowBundleOption) => {
    await stopWorker();
    stopWorker = await startWorker(workflowBundle);
  };
  const stop = async () => {
    await stopWorker();
    await env.teardown();
    await close();
  };
  return new World({ env, records, devices, runs, deploy, stop });
}

/** The real ones; a test can wait until somebody has asked who holds a device. */
export class WatchedRuns implements DeviceRuns {
  private readonly asked = new EventEmitter();

  constructor(private readonly runs: DeviceRuns) {}

  terminate(workflowId: string, runId: string): Promise<void> {
    return this.runs.terminate(workflowId, runId);
  }

  async holder(workflowId: string) {
    const holder = await this.runs.holder(workflowId);
    this.asked.emit(workflowId, holder);
    return holder;
  }

  async untilAsked(workflowId: string): Promise<void> {
    await once(this.asked, workflowId);
  }
}

/** Which devices can be reached, and what was sent to each, with the server's time. */
export class FakeDevices implements Publisher {
  readonly online = new Set<string>();
  /** Of every firmware. */
  file: 'intact' | 'corrupt' = 'intact';
  /** Whose activities fail, and of whom they have; not forgotten with the rest. */
  readonly failing = new Set<string>();
  readonly failed = new Set<string>();
  private readonly sent: { readonly deviceName: string; readonly atMs: number }[] = [];

  constructor(private readonly env: TestWorkflowEnvironment) {}

  async notify(update: OpenDeviceUpdate): Promise<boolean> {
    if (!this.isReachable(update.record)) return false;
    this.sent.push({ deviceName: update.record.deviceName, atMs: await this.env.currentTimeMs() });
    return true;
  }

  /** Ferry was away until then; always there if 0. */
  listening = 0;
  async listeningForMs(): Promise<number> {
    return (await this.env.currentTimeMs()) - this.listening;
  }

  /** By device, where a test tells connections apart. */
  readonly onlineIds = new Map<string, string>();
  onlineId({ deviceName }: { readonly deviceName: string }): string | undefined {
    return this.onlineIds.get(deviceName);
  }

  isReachable({ deviceName }: { readonly deviceName: string }): boolean {
    if (this.failing.has(deviceName)) {
      this.failed.add(deviceName);
      throw new Error('a test');
    }
    return this.online.has(deviceName);
  }

  forget(): void {
    this.online.clear();
    this.onlineIds.clear();
    this.sent.length = 0;
    this.file = 'intact';
    this.listening = 0;
  }

  sentTo(deviceName: string): number[] {
    return this.sent.filter((sent) => sent.deviceName === deviceName).map(({ atMs }) => atMs);
  }
}

let worlds = 0;

export class World {
  private products = 0;
  productKey = '';
  firmwareId = '';
  deviceRunEventsMax = DEVICE_RUN_EVENTS_MAX;

  readonly env: TestWorkflowEnvironment;
  readonly records: Records;
  readonly devices: FakeDevices;
  readonly runs: WatchedRuns;
  /** A worker with other workflow code takes over. */
  readonly deploy: (workflowBundle: WorkflowBundleOption) => Promise<void>;
  readonly stop: () => Promise<void>;

  constructor(parts: Pick<World, 'env' | 'records' | 'devices' | 'runs' | 'deploy' | 'stop'>) {
    this.env = parts.env;
    this.records = parts.records;
    this.devices = parts.devices;
    this.runs = parts.runs;
    this.deploy = parts.deploy;
    this.stop = parts.stop;
    worlds++;
  }

  /** A fresh product with devices, all on 1.0.0 and online, and a firmware 2.0.0. */
  async seed(deviceNames: readonly string[], protocol: DeviceProtocol = 'mqtt'): Promise<void> {
    this.productKey = `product-${worlds}-${++this.products}`;
    this.firmwareId = `firmware-${worlds}-${this.products}`;
    this.devices.forget();
    const atMs = await this.env.currentTimeMs();
    await this.records.createProduct({ productKey: this.productKey, name: 'Lamp', createdAtMs: atMs });
    const credentials = deviceNames.map((deviceName) => ({ deviceName, deviceSecret: 'secret-secret', protocol }));
    await this.records.registerDevices(this.productKey, credentials, atMs);
    for (const deviceName of deviceNames) {
      this.devices.online.add(deviceName);
      await this.reportedVersion(deviceName, '1.0.0');
    }
    await this.records.addFirmware(
      {
        id: this.firmwareId,
        name: 'lamp',
        productKey: this.productKey,
        module: 'default',
        version: '2.0.0',
        sizeBytes: 3,
        signMethod: 'SHA256',
        sign: 'ab'.repeat(32),
        sha256: 'ab'.repeat(32),
        createdAtMs: atMs,
      },
      { firmwareMax: 1_000 },
    );
  }

  verify(deviceNames: readonly string[], policy: Partial<UpdatePolicy> = {}): Promise<TaskRecord> {
    return this.task('verification', [], deviceNames, policy);
  }

  /** Verifies the firmware without devices having a part in it, then creates the batch. */
  async batch(policy: Partial<UpdatePolicy> = {}, shardDevices = 200): Promise<TaskRecord> {
    await this.makeVerified();
    return this.task('batch', ['1.0.0'], null, policy, shardDevices);
  }

  /** A batch for which one operator is too few. */
  async batchForApproval(startedBy: string): Promise<TaskRecord> {
    await this.makeVerified();
    const { value: task } = await this.records.createTask({
      id: `task-${this.firmwareId}-approval`,
      kind: 'batch',
      firmwareId: this.firmwareId,
      sourceVersions: ['1.0.0'],
      deviceNames: null,
      policy: resolvePolicy('batch'),
      createdAtMs: await this.env.currentTimeMs(),
      startedBy,
      approvalAbove: 0,
    });
    await this.startRun(task);
    return task;
  }

  /** A verification of a device that runs the firmware, without a run: enough to make the firmware verified. */
  async makeVerified(): Promise<void> {
    const id = `warm-up-${this.firmwareId}`;
    if (await this.records.getTask(id)) return;
    const atMs = await this.env.currentTimeMs();
    const { items } = await this.records.listDevices(this.productKey, {}, { limit: 1 });
    await this.records.createTask({
      id,
      kind: 'verification',
      firmwareId: this.firmwareId,
      sourceVersions: [],
      deviceNames: items.map(({ deviceName }) => deviceName),
      policy: resolvePolicy('verification'),
      createdAtMs: atMs,
    });
    for (const key of items) {
      await this.records.recordDeviceUpdate(id, key, succeeded(initialState(atMs), atMs), null);
    }
    await this.records.taskEnded(id, 'completed', atMs);
  }

  private async task(
    kind: TaskKind,
    sourceVersions: readonly string[],
    deviceNames: readonly string[] | null,
    policy: Partial<UpdatePolicy>,
    shardDevices = 200,
  ): Promise<TaskRecord> {
    const { value: task } = await this.records.createTask({
      id: `task-${this.firmwareId}-${kind}-${Math.random().toString(36).slice(2, 8)}`,
      kind,
      firmwareId: this.firmwareId,
      sourceVersions,
      deviceNames,
      policy: resolvePolicy(kind, policy),
      createdAtMs: await this.env.currentTimeMs(),
    });
    await this.startRun(task, shardDevices);
    return task;
  }

  async startRun(task: TaskRecord, shardDevices = 200): Promise<void> {
    const options = taskRunOptions({
      taskId: task.id,
      kind: task.kind,
      productKey: task.firmware.productKey,
      firmware: task.firmware,
      policy: task.policy,
      devicesTotal: task.counts.total,
      shardDevices,
      unconfirmedStartsMax: 4,
      deviceRunEventsMax: this.deviceRunEventsMax,
      ...(task.needsApproval && { approval: { startedBy: task.startedBy, timeoutMs: APPROVAL_TIMEOUT_MS } }),
    });
    await this.env.client.workflow.start(task.kind === 'batch' ? 'batchUpdate' : 'verification', options);
  }

  run(deviceName: string) {
    return this.env.client.workflow.getHandle(deviceUpdateWorkflowId({ productKey: this.productKey, deviceName }));
  }
  taskRun(task: TaskRecord) {
    return this.env.client.workflow.getHandle(task.workflowId);
  }

  // What the gateway does with a device's reports: records first, then the run.

  async reportProgress(task: TaskRecord, deviceName: string, step: number): Promise<void> {
    const atMs = await this.recordProgress(deviceName, step);
    await this.run(deviceName).signal(progressSignal, { taskId: task.id, step, atMs });
  }

  /** A percentage of which the run is not told. */
  async recordProgress(deviceName: string, step: number): Promise<number> {
    const key = { productKey: this.productKey, deviceName };
    const atMs = await this.env.currentTimeMs();
    await this.records.progressReported(key, { module: null, step, atMs });
    return atMs;
  }

  async reportFailure(task: TaskRecord, deviceName: string, cause: FailureCause, description = ''): Promise<void> {
    const atMs = await this.recordFailure(deviceName, cause, description);
    await this.run(deviceName).signal(failureSignal, { taskId: task.id, cause, description, atMs });
  }

  /** A failure of which the run is not told. */
  async recordFailure(deviceName: string, cause: FailureCause, description = ''): Promise<number> {
    const atMs = await this.env.currentTimeMs();
    const key = { productKey: this.productKey, deviceName };
    await this.records.failureReported(key, { module: null, cause, description, atMs });
    return atMs;
  }

  async reportVersion(task: TaskRecord, deviceName: string, version: string): Promise<void> {
    await this.reportedVersion(deviceName, version);
    const atMs = await this.env.currentTimeMs();
    await this.run(deviceName).signal(versionSignal, { taskId: task.id, version, atMs });
  }

  /** A version report of which the run is not told. */
  async reportedVersion(deviceName: string, version: string): Promise<void> {
    const key = { productKey: this.productKey, deviceName };
    await this.records.versionReported(key, { module: 'default', version, atMs: await this.env.currentTimeMs() });
  }

  /** @param connectionId as the broker names it; absent as in the first releases */
  async comesOnline(task: TaskRecord, deviceName: string, connectionId?: string): Promise<void> {
    this.devices.online.add(deviceName);
    if (connectionId !== undefined) this.devices.onlineIds.set(deviceName, connectionId);
    const atMs = await this.env.currentTimeMs();
    await this.run(deviceName).signal(onlineSignal, { taskId: task.id, atMs, connectionId });
  }

  async asksForItsUpdate(task: TaskRecord, deviceName: string): Promise<void> {
    await this.run(deviceName).signal(fetchedSignal, { taskId: task.id, atMs: await this.env.currentTimeMs() });
  }

  /** Resolves once the record of the device update is as wanted. */
  async until(
    task: TaskRecord,
    deviceName: string,
    wanted: (record: DeviceUpdateRecord) => boolean,
  ): Promise<DeviceUpdateRecord> {
    return this.changed(async () => {
      const record = await this.records.getDeviceUpdate(task.id, deviceName);
      return record && wanted(record) ? record : undefined;
    });
  }

  /** Resolves once the run of the device has started a timer: no record changes with that, so the history is polled. */
  async untilTimer(deviceName: string): Promise<void> {
    for (;;) {
      const history = await this.run(deviceName)
        .fetchHistory()
        .catch(() => undefined); // The run is not there yet.
      if (history?.events?.some(({ timerStartedEventAttributes }) => timerStartedEventAttributes)) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async untilTask(task: TaskRecord, wanted: (record: TaskRecord) => boolean): Promise<TaskRecord> {
    return this.changed(async () => {
      const record = await this.records.getTask(task.id);
      return record && wanted(record) ? record : undefined;
    });
  }

  private async changed<T>(look: () => Promise<T | undefined>): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = () => void look().then((found) => found !== undefined && done(found), reject);
      const stop = this.records.onChange(check);
      const done = (found: T) => {
        stop();
        resolve(found);
      };
      check();
    });
  }
}
