import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/activities.js';
import { cancelled, initialState, notified } from '../../domain/device-update.js';
import type { TaskRecord } from '../../records/records.js';
import { Builder } from '../records/builder.js';
import { openTestRecords, type TestRecords } from '../support/records.js';

describe('the activity that notifies a device', () => {
  let opened: TestRecords;
  let build: Builder;
  let task: TaskRecord;
  let sent: string[];
  /** Done while the notification is on its way, before it is recorded. */
  let meanwhile: () => Promise<unknown>;
  let isReachable: boolean;
  let takes: boolean;
  let context: MockActivityEnvironment;
  const at = { runId: 'run', state: initialState(1), atMs: 5 };
  const ref = () => ({ taskId: task.id, productKey: build.productKey, deviceName: 'a' });

  beforeEach(async () => {
    opened = await openTestRecords();
    build = new Builder(opened.records);
    sent = [];
    meanwhile = async () => undefined;
    isReachable = true;
    takes = true;
    context = new MockActivityEnvironment();
    await build.product();
    await build.devices(['a']);
    await build.runs('a', '1.0.0');
    task = await build.batch(await build.verified('2.0.0'), ['1.0.0']);
    await opened.records.taskBegun(task.id, 'task-run', 1);
  });
  afterEach(() => opened.close());

  const activitiesNow = () =>
    createActivities({
      records: opened.records,
      publisher: {
        isReachable: () => isReachable,
        listeningForMs: () => 0,
        onlineId: () => 'connection',
        notify: async ({ record }) => {
          if (takes) sent.push(record.deviceName);
          return takes;
        },
      },
      terminatedByEngine: async () => undefined,
      runs: { terminate: async () => undefined, holder: async () => undefined },
      isIntact: async () => {
        await meanwhile();
        return 'intact';
      },
    });
  const notifyDevice = (run = at) => {
    const activities = activitiesNow();
    return context.run(
      (...args: Parameters<typeof activities.notifyDevice>) => activities.notifyDevice(...args),
      ref(),
      run,
    );
  };
  const record = () => opened.records.getDeviceUpdate(task.id, 'a');

  it('sends it while its task is open', async () => {
    expect(await notifyDevice()).toEqual({ kind: 'sent', connectionId: 'connection' });
    expect(sent).toEqual(['a']);
  });

  it('sends nothing of a task whose cancellation was accepted, whatever its run was told', async () => {
    await opened.records.requestTaskCancel(task.id, 4);
    expect(await notifyDevice()).toEqual({ kind: 'cancelled' });
    expect(sent).toEqual([]);
  });

  it('sends nothing when the cancellation is accepted while it looks at the file', async () => {
    meanwhile = () => opened.records.requestTaskCancel(task.id, 4);
    expect(await notifyDevice()).toEqual({ kind: 'cancelled' });
    expect(sent).toEqual([]);
    expect(await record()).toMatchObject({ notifications: 0, notifiedAtMs: null });
  });

  it('gives a revoked device its run all the same: restored, it is told when it comes online', async () => {
    const key = { productKey: build.productKey, deviceName: 'a' };
    await opened.records.revokeDevice(key, 4);
    expect(await notifyDevice()).toEqual({ kind: 'unreachable' });
    expect(sent).toEqual([]);
    expect(await record()).toMatchObject({ status: 'pending', begunAtMs: 1, runId: 'run' });
  });

  it('sends nothing of a try that the engine has given up, since the next one does', async () => {
    context.cancel('TIMED_OUT');
    await expect(notifyDevice()).rejects.toThrow();
    expect(sent).toEqual([]);
  });

  it('holds it back while its task is paused', async () => {
    await opened.records.pauseTasksOf('ab'.repeat(32), 'firmware-file-damaged', 4);
    expect(await notifyDevice()).toEqual({ kind: 'file-damaged' });
    expect(await record()).toMatchObject({ status: 'pending', detail: expect.stringContaining('damaged') as unknown });
    await opened.records.resumeTasksOf('ab'.repeat(32));
    expect(await notifyDevice()).toEqual({ kind: 'sent', connectionId: 'connection' });
  });

  it('waits as its run does when its task is paused while it looks at the file', async () => {
    meanwhile = () => opened.records.pauseTasksOf('ab'.repeat(32), 'firmware-file-damaged', 4);
    expect(await notifyDevice()).toEqual({ kind: 'file-damaged' });
    expect(await record()).toMatchObject({ status: 'pending', begunAtMs: 1, runId: 'run' });
    await opened.records.resumeTasksOf('ab'.repeat(32));
    await opened.records.deviceConnected({ productKey: build.productKey, deviceName: 'a' }, 'connection', 6);
    expect(await opened.records.pendingOnlineUpdates(10)).toHaveLength(1);
  });

  it('waits as its run does when its device is revoked while it looks at the file', async () => {
    const key = { productKey: build.productKey, deviceName: 'a' };
    meanwhile = () => opened.records.revokeDevice(key, 4);
    expect(await notifyDevice()).toEqual({ kind: 'unreachable' });
    expect(await record()).toMatchObject({ status: 'pending', begunAtMs: 1, runId: 'run' });
    await opened.records.requestDeviceCancel(task.id, 'a', 7);
    expect(await opened.records.undeliveredDeviceCancels(task.id, 10)).toHaveLength(1);
  });

  it('is waited for again when it is gone before a later notification', async () => {
    await notifyDevice();
    isReachable = false;
    expect(await notifyDevice({ ...at, state: notified(initialState(1), 5), atMs: 50 })).toEqual({
      kind: 'unreachable',
    });
    expect(await record()).toMatchObject({ status: 'pending', notifiedAtMs: 5, notifications: 1 });
    await opened.records.deviceConnected({ productKey: build.productKey, deviceName: 'a' }, 'connection', 60);
    expect(await opened.records.pendingOnlineUpdates(10)).toHaveLength(1);
  });

  it('takes back what it could not send', async () => {
    takes = false;
    expect(await notifyDevice()).toEqual({ kind: 'unreachable' });
    expect(await record()).toMatchObject({ status: 'pending', notifiedAtMs: null, notifications: 0 });
  });

  it('leaves an answered query standing that came in between', async () => {
    isReachable = false;
    const key = { productKey: build.productKey, deviceName: 'a' };
    await opened.records.giveOut(task.id, key, notified(initialState(1), 7), 'run');
    expect(await notifyDevice()).toEqual({ kind: 'unreachable' });
    expect(await record()).toMatchObject({ status: 'notified', notifiedAtMs: 7 });
    expect(await opened.records.progressReported(key, { module: null, step: 3, atMs: 8 })).toBe(true);
  });

  describe('and whose update is cancelled while its run was not told what it had reported', () => {
    const key = () => ({ productKey: build.productKey, deviceName: 'a' });
    const cancelAfter = async (report: () => Promise<unknown>, requestedAtMs: number) => {
      await notifyDevice();
      await report();
      await opened.records.requestDeviceCancel(task.id, 'a', requestedAtMs);
      const state = cancelled(notified(initialState(1), 5), 30, 'An operator cancelled it.');
      await activitiesNow().recordDeviceUpdate(ref(), state, 'run');
    };
    const succeeds = () => opened.records.versionReported(key(), { module: 'default', version: '2.0.0', atMs: 10 });

    it('has succeeded when it had reported the target version before', async () => {
      await cancelAfter(succeeds, 20);
      expect(await record()).toMatchObject({ status: 'completed', outcome: 'succeeded', endedAtMs: 10 });
    });

    it('has failed when it had reported a failure before', async () => {
      const failure = { module: 'default', cause: 'download-failed', description: 'no route', atMs: 10 } as const;
      await cancelAfter(() => opened.records.failureReported(key(), failure), 20);
      expect(await record()).toMatchObject({ outcome: 'failed', cause: 'download-failed' });
    });

    it('is cancelled when it reported that later', async () => {
      await cancelAfter(succeeds, 9);
      expect(await record()).toMatchObject({ status: 'cancelled', outcome: null });
    });
  });
});
