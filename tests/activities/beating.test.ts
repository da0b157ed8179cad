import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createActivities, type Activities } from '../../activities/activities.js';
import type { DeviceRuns } from '../../activities/device-runs.js';
import { initialState } from '../../domain/device-update.js';
import type { TaskRecord } from '../../records/records.js';
import { createDeviceRuns } from '../../worker/device-runs.js';
import { Builder } from '../records/builder.js';
import { openTestRecords, type TestRecords } from '../support/records.js';

/** As in workflows/proxies.ts: an activity that is silent for so long is given up, and begun anew. */
const HEARTBEAT_TIMEOUT_MS = 2 * 60_000;
/** More requests than are ever under way at once. */
const CROWD = 100;

describe('an activity that makes a request to the engine for each device', () => {
  let opened: TestRecords;
  let build: Builder;
  let task: TaskRecord;
  let runs: DeviceRuns;
  let activities: Activities;
  /** The engine answers from then on. */
  let answer: () => void;
  let beats: number;
  let context: MockActivityEnvironment;

  beforeEach(async () => {
    opened = await openTestRecords();
    build = new Builder(opened.records);
    await build.product();
    await build.devices(['a']);
    await build.runs('a', '1.0.0');
    task = await build.batch(await build.verified('2.0.0'), ['1.0.0']);
    await opened.records.taskBegun(task.id, 'task-run', 1);
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const getHandle = () => ({
      describe: () => answered.then(() => ({ status: { name: 'COMPLETED' } })),
      terminate: () => answered,
    });
    runs = createDeviceRuns({ workflow: { getHandle } } as unknown as Pick<Client, 'workflow'>);
    activities = createActivities({
      records: opened.records,
      publisher: {
        isReachable: () => false,
        listeningForMs: () => 0,
        onlineId: () => undefined,
        notify: async () => false,
      },
      terminatedByEngine: async () => undefined,
      runs,
      isIntact: async () => 'intact',
    });
    beats = 0;
    context = new MockActivityEnvironment();
    context.on('heartbeat', () => beats++);
    // Only the intervals: the records wait for real ones.
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  });
  afterEach(async () => {
    vi.useRealTimers();
    await opened.close();
  });

  const ref = () => ({ taskId: task.id, productKey: build.productKey });
  const whoHolds = () =>
    context.run((...args: Parameters<Activities['whoHolds']>) => activities.whoHolds(...args), ref(), ['a']);
  const closeUntoldRuns = () =>
    context.run(
      (...args: Parameters<Activities['closeUntoldRuns']>) => activities.closeUntoldRuns(...args),
      ref(),
      0,
      1,
    );

  it.each(['whoHolds', 'closeUntoldRuns'] as const)(
    'is not given up while it waits for its turn, and is silent once it is done: %s',
    async (name) => {
      if (name === 'closeUntoldRuns') await stopBegun();
      const crowd = Array.from({ length: CROWD }, (_, n) => runs.holder(`device-update/other/${n}`));
      const done = name === 'whoHolds' ? whoHolds() : closeUntoldRuns();
      await vi.waitUntil(() => vi.getTimerCount() > 0, { timeout: 30_000 });
      for (let minutes = 0; minutes < 60; minutes += 2) {
        beats = 0;
        await vi.advanceTimersByTimeAsync(HEARTBEAT_TIMEOUT_MS);
        // One that is late or lost does not end it.
        expect(beats).toBeGreaterThanOrEqual(3);
      }
      answer();
      expect(await done).toEqual(name === 'whoHolds' ? [{ deviceName: 'a', by: 'nobody' }] : ['a']);
      await Promise.all(crowd);
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  /** The device's run has begun, and an operator stops its task before the device was told of anything. */
  async function stopBegun(): Promise<void> {
    const key = { productKey: build.productKey, deviceName: 'a' };
    await opened.records.recordDeviceUpdate(task.id, key, initialState(2), 'run');
    await opened.records.requestTaskCancel(task.id, 3);
  }
});
