import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/activities.js';
import { initialState, notified } from '../../domain/device-update.js';
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

  const notifyDevice = () => {
    const activities = createActivities({
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
    return context.run(
      (...args: Parameters<typeof activities.notifyDevice>) => activities.notifyDevice(...args),
      ref(),
      at,
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
});
