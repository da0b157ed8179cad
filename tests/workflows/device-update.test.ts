import type { WorkflowFailedError } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import { CancelledFailure } from '@temporalio/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { waitingFor } from '../../domain/device-update.js';
import type { TaskRecord } from '../../records/records.js';
import { stateQuery } from '../../workflows/messages.js';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, startWorld, type World } from './world.js';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

const DEVICE = 'lamp-1';
beforeEach(() => world.seed([DEVICE]));

/** How the run has failed, once the time that it takes has been skipped. */
const failureOf = async (task: TaskRecord, deviceName = DEVICE): Promise<{ type: string; message: string }> => {
  await world.until(task, deviceName, ({ begunAtMs }) => begunAtMs !== null);
  const error: unknown = await world
    .run(deviceName)
    .result()
    .then(
      () => undefined,
      (e: unknown) => e,
    );
  const cause = (error as WorkflowFailedError | undefined)?.cause;
  return { type: (cause as ApplicationFailure).type ?? '', message: cause?.message ?? '' };
};

describe('a run that is told several times that its device is online', () => {
  it('notifies once for each connection, also on that on which it has notified before it was told of it', async () => {
    world.devices.onlineIds.set(DEVICE, 'first');
    const task = await world.verify([DEVICE]);
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    for (let n = 0; n < 3; n++) await world.comesOnline(task, DEVICE, 'first');
    for (let n = 0; n < 3; n++) await world.comesOnline(task, DEVICE, 'second');
    const notified = await world.until(task, DEVICE, ({ notifications }) => notifications === 2);
    expect(notified.status).toBe('notified');
    await world.comesOnline(task, DEVICE, 'second');
    await world.reportVersion(task, DEVICE, '2.0.0');
    await world.run(DEVICE).result();
    expect(world.devices.sentTo(DEVICE)).toHaveLength(2);
  });

  it('notifies on the same connection again when nothing could be sent before', async () => {
    world.devices.file = 'corrupt';
    const task = await world.verify([DEVICE]);
    await world.until(task, DEVICE, ({ detail }) => detail !== null);
    await world.comesOnline(task, DEVICE, 'only');
    world.devices.file = 'intact';
    await world.comesOnline(task, DEVICE, 'only');
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    await world.reportVersion(task, DEVICE, '2.0.0');
    await world.run(DEVICE).result();
    expect(world.devices.sentTo(DEVICE)).toHaveLength(1);
  });
});

describe('the way of a device update', () => {
  it('goes pending, notified, upgrading at the first progress, and succeeds by the reported target version', async () => {
    const task = await world.verify([DEVICE]);
    const notified = await world.until(task, DEVICE, ({ status }) => status === 'notified');
    expect(notified).toMatchObject({ notifications: 1, startedAtMs: null, step: null });

    await world.reportProgress(task, DEVICE, 0);
    const upgrading = await world.until(task, DEVICE, ({ status }) => status === 'upgrading');
    expect(upgrading.startedAtMs).not.toBeNull();
    await world.reportProgress(task, DEVICE, 100);
    expect(await world.run(DEVICE).query(stateQuery)).toMatchObject({
      status: 'upgrading',
      waitingFor: { what: 'confirmation' },
    });

    await world.reportVersion(task, DEVICE, '2.0.0');
    expect(await world.run(DEVICE).result()).toMatchObject({ status: 'completed', outcome: 'succeeded' });
    const ended = await world.until(task, DEVICE, ({ outcome }) => outcome === 'succeeded');
    expect(ended).toMatchObject({ step: 100, cause: null });
  });

  it('succeeds by the target version alone, without any progress', async () => {
    const task = await world.verify([DEVICE]);
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    await world.reportVersion(task, DEVICE, '2.0.0');
    expect(await world.run(DEVICE).result()).toMatchObject({ outcome: 'succeeded' });
  });

  it('succeeds without a push when the device runs the target version already', async () => {
    await world.reportedVersion(DEVICE, '2.0.0');
    const task = await world.verify([DEVICE]);
    await world.taskRun(task).result();
    expect(await world.records.getDeviceUpdate(task.id, DEVICE)).toMatchObject({
      outcome: 'succeeded',
      notifications: 0,
      detail: 'It already ran the target version.',
    });
    expect(world.devices.sentTo(DEVICE)).toEqual([]);
  });

  it('takes repeated and out-of-order reports for what they are: the percentage never falls', async () => {
    const task = await world.verify([DEVICE]);
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    for (const step of [0, 60, 60, 20, 0]) await world.reportProgress(task, DEVICE, step);
    expect(await world.run(DEVICE).query(stateQuery)).toMatchObject({ status: 'upgrading', step: 60 });
    await world.reportVersion(task, DEVICE, '2.0.0');
    await world.run(DEVICE).result();
    expect(await world.records.getDeviceUpdate(task.id, DEVICE)).toMatchObject({ outcome: 'succeeded', step: 60 });
  });

  it('is not notified again once it has reported a failure, also when the run was not told of that', async () => {
    const task = await world.verify([DEVICE]);
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    await world.recordFailure(DEVICE, 'extraction-failed', 'no room');
    await world.comesOnline(task, DEVICE);
    expect(await failureOf(task)).toMatchObject({ type: 'extraction-failed' });
    expect(world.devices.sentTo(DEVICE)).toHaveLength(1);
  });

  it('says what it waits for in the same words by query, in the records and in Temporal’s details', async () => {
    const task = await world.verify([DEVICE]);
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    const words = async () => {
      const { waitingFor: asked } = await world.run(DEVICE).query(stateQuery);
      const record = await world.records.getDeviceUpdate(task.id, DEVICE);
      const recorded = record && waitingFor(record, task.policy, record.protocol, record.createdAtMs);
      const details = await world.run(DEVICE).query<{ currentDetails: string }>('__temporal_workflow_metadata');
      expect(recorded).toEqual(asked);
      expect(details.currentDetails).toContain(asked?.text);
      return asked?.text ?? '';
    };
    expect(await words()).toMatch(/^silent since its notification of \S+; notified again on \S+$/);
    await world.reportProgress(task, DEVICE, 0);
    expect(await words()).toMatch(
      /^upgrading, last progress at \S+; goes on with its next report; fails as stalled on \S+ if it is online then$/,
    );
    await world.reportProgress(task, DEVICE, 100);
    expect(await words()).toMatch(
      /^reported step 100 at \S+; .*; fails as version-unconfirmed on \S+ if it is online then$/,
    );
    await world.reportVersion(task, DEVICE, '2.0.0');
    await world.run(DEVICE).result();
  });

  it('ignores a late report of an earlier task', async () => {
    const task = await world.verify([DEVICE]);
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    await world.reportFailure({ ...task, id: 'an-earlier-task' }, DEVICE, 'download-failed');
    await world.reportProgress({ ...task, id: 'an-earlier-task' }, DEVICE, 50);
    expect(await world.run(DEVICE).query(stateQuery)).toMatchObject({ status: 'notified' });
    await world.reportVersion(task, DEVICE, '2.0.0');
    expect(await world.run(DEVICE).result()).toMatchObject({ outcome: 'succeeded' });
  });
});

describe('the call stack of a run in the Temporal UI', () => {
  it('names the lines of the source at which it waits', async () => {
    const task = await world.verify([DEVICE]);
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    expect(await world.run(DEVICE).query<string>('__stack_trace')).toMatch(/workflows\/[\w/-]+\.ts:\d+:\d+/);
  });
});

describe('failures that the device reports', () => {
  it.each(['download-failed', 'verification-failed', 'extraction-failed', 'update-failed'] as const)(
    'ends as failed, cause %s, with what the device said; the run closes as Failed with the cause as type',
    async (cause) => {
      const task = await world.verify([DEVICE]);
      await world.until(task, DEVICE, ({ status }) => status === 'notified');
      await world.reportProgress(task, DEVICE, 30);
      await world.reportFailure(task, DEVICE, cause, 'flash sector 7');
      expect(await failureOf(task)).toMatchObject({
        type: cause,
        message: expect.stringContaining('flash sector 7') as string,
      });
      const record = await world.until(task, DEVICE, ({ outcome }) => outcome === 'failed');
      expect(record).toMatchObject({ status: 'completed', cause, step: 30 });
      expect(record.detail).toContain('flash sector 7');
    },
  );
});

describe('a failure whose signal was lost', () => {
  it('ends the update by the records, with its own cause and not with the time limit’s', async () => {
    const task = await world.verify([DEVICE]);
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    await world.recordFailure(DEVICE, 'download-failed', 'no route');
    expect(await failureOf(task)).toMatchObject({
      type: 'download-failed',
      message: expect.stringContaining('no route') as string,
    });
  });
});

describe('offline devices', () => {
  beforeEach(() => world.devices.online.delete(DEVICE));

  it('are notified as soon as they come online', async () => {
    const task = await world.batch();
    await world.until(task, DEVICE, ({ begunAtMs }) => begunAtMs !== null);
    await world.env.sleep(3 * DAY_MS);
    expect(world.devices.sentTo(DEVICE)).toEqual([]);

    await world.comesOnline(task, DEVICE);
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    await world.reportVersion(task, DEVICE, '2.0.0');
    expect(await world.run(DEVICE).result()).toMatchObject({ outcome: 'succeeded' });
  });

  it.each([
    { kind: 'batch', days: 7, start: () => world.batch() },
    { kind: 'verification', days: 1 / 24, start: () => world.verify([DEVICE]) },
  ])('fail as offline-expired when the offline time of a $kind is over', async ({ days, start }) => {
    const task = await start();
    await world.until(task, DEVICE, ({ begunAtMs }) => begunAtMs !== null);
    expect(await failureOf(task)).toMatchObject({ type: 'offline-expired' });
    const { begunAtMs, endedAtMs } = await world.until(task, DEVICE, ({ outcome }) => outcome === 'failed');
    expect(Math.round(((endedAtMs ?? 0) - (begunAtMs ?? 0)) / MINUTE_MS)).toBe(days * 24 * 60);
  });

  it('succeed by the records when they came back on the target version and the signal was lost', async () => {
    const task = await world.batch();
    await world.until(task, DEVICE, ({ begunAtMs }) => begunAtMs !== null);
    await world.reportedVersion(DEVICE, '2.0.0');
    expect(await world.run(DEVICE).result()).toMatchObject({ outcome: 'succeeded' });
  });
});

describe('devices of transient protocols', () => {
  it.each(['http', 'coap'] as const)(
    '%s: can fetch the update when they ask, and fail as unreachable-transient otherwise',
    async (protocol) => {
      await world.seed(['asker', 'sleeper'], protocol);
      world.devices.online.clear();
      const task = await world.verify(['asker', 'sleeper']);
      const asker = await world.until(task, 'asker', ({ begunAtMs }) => begunAtMs !== null);
      expect(asker.status).toBe('pending');
      await world.asksForItsUpdate(task, 'asker');
      await world.reportVersion(task, 'asker', '2.0.0');
      expect(await world.run('asker').result()).toMatchObject({ outcome: 'succeeded' });
      expect(await failureOf(task, 'sleeper')).toMatchObject({ type: 'unreachable-transient' });
    },
  );
});

describe('silent devices', () => {
  it('are notified three times, after doubled waits, and fail as no-response', async () => {
    const task = await world.verify([DEVICE]);
    expect(await failureOf(task)).toMatchObject({ type: 'no-response' });
    const sent = world.devices.sentTo(DEVICE);
    const waits = sent.slice(1).map((atMs, i) => Math.round((atMs - (sent[i] ?? 0)) / MINUTE_MS));
    expect(waits).toEqual([5, 10]);
    const record = await world.until(task, DEVICE, ({ outcome }) => outcome === 'failed');
    expect(record).toMatchObject({ notifications: 3, startedAtMs: null });
    expect(Math.round(((record.endedAtMs ?? 0) - (sent[2] ?? 0)) / MINUTE_MS)).toBe(20);
  });

  it('that have left go back to pending and are notified when they return', async () => {
    const task = await world.verify([DEVICE]);
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    world.devices.online.delete(DEVICE);
    await world.env.sleep(6 * MINUTE_MS);
    await world.until(task, DEVICE, ({ status }) => status === 'pending');
    await world.comesOnline(task, DEVICE);
    const record = await world.until(task, DEVICE, ({ status }) => status === 'notified');
    expect(record.notifications).toBe(2);
  });

  it('are notified again when they reconnect', async () => {
    const task = await world.verify([DEVICE]);
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    await world.comesOnline(task, DEVICE);
    await world.until(task, DEVICE, ({ notifications }) => notifications === 2);
  });

  it('are not given up when their progress is in the records though its signal was lost', async () => {
    const task = await world.verify([DEVICE]);
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    await world.recordProgress(DEVICE, 10);
    await world.env.sleep(6 * MINUTE_MS);
    expect(await world.run(DEVICE).query(stateQuery)).toMatchObject({ status: 'upgrading', step: 10 });
  });

  it('that ask for their update count as notified', async () => {
    world.devices.online.delete(DEVICE);
    const task = await world.verify([DEVICE]);
    await world.until(task, DEVICE, ({ begunAtMs }) => begunAtMs !== null);
    await world.asksForItsUpdate(task, DEVICE);
    expect(await world.run(DEVICE).query(stateQuery)).toMatchObject({ status: 'notified' });
  });
});

describe('an update under way', () => {
  const upgrade = async (step = 10) => {
    const task = await world.verify([DEVICE]);
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    await world.reportProgress(task, DEVICE, step);
    await world.until(task, DEVICE, ({ status }) => status === 'upgrading');
    return task;
  };

  it('fails as stalled when no progress comes for the stall time', async () => {
    const task = await upgrade();
    expect(await failureOf(task)).toMatchObject({
      type: 'stalled',
      message: expect.stringContaining('step was 10') as string,
    });
    const { lastProgressAtMs, endedAtMs } = await world.until(task, DEVICE, ({ outcome }) => outcome === 'failed');
    expect(Math.round(((endedAtMs ?? 0) - (lastProgressAtMs ?? 0)) / MINUTE_MS)).toBe(30);
  });

  it('is kept alive by progress that only the records know', async () => {
    const task = await upgrade();
    await world.env.sleep(25 * MINUTE_MS);
    await world.recordProgress(DEVICE, 50);
    await world.env.sleep(20 * MINUTE_MS);
    expect(await world.run(DEVICE).query(stateQuery)).toMatchObject({ status: 'upgrading', step: 50 });
    expect(await failureOf(task)).toMatchObject({
      type: 'stalled',
      message: expect.stringContaining('step was 50') as string,
    });
  });

  it('fails as stalled when it is not finished in the overall time, however much it reports', async () => {
    const task = await upgrade(1);
    for (let hours = 0; hours < 24; hours += 0.4) {
      await world.env.sleep(0.4 * HOUR_MS);
      await world.recordProgress(DEVICE, 2);
    }
    expect(await failureOf(task)).toMatchObject({
      type: 'stalled',
      message: expect.stringContaining('not finished in time') as string,
    });
  });

  it('fails as version-unconfirmed when step 100 is not followed by the target version', async () => {
    const task = await upgrade(100);
    await world.reportedVersion(DEVICE, '1.0.0');
    expect(await failureOf(task)).toMatchObject({
      type: 'version-unconfirmed',
      message: expect.stringContaining('runs 1.0.0') as string,
    });
    const { hundredAtMs, endedAtMs } = await world.until(task, DEVICE, ({ outcome }) => outcome === 'failed');
    expect(Math.round(((endedAtMs ?? 0) - (hundredAtMs ?? 0)) / MINUTE_MS)).toBe(15);
  });

  it('succeeds by the records when the signal of the target version was lost', async () => {
    await upgrade(100);
    await world.reportedVersion(DEVICE, '2.0.0');
    expect(await world.run(DEVICE).result()).toMatchObject({ outcome: 'succeeded' });
  });

  it('is notified again when the device reconnects in mid-update and stays silent', async () => {
    const task = await upgrade();
    await world.comesOnline(task, DEVICE);
    await world.env.sleep(20 * SECOND_MS);
    const record = await world.until(task, DEVICE, ({ notifications }) => notifications === 2);
    expect(record.status).toBe('upgrading');
  });

  it('is left alone when the device reconnects and goes on by itself', async () => {
    const task = await upgrade();
    await world.comesOnline(task, DEVICE);
    await world.env.sleep(5 * SECOND_MS);
    await world.recordProgress(DEVICE, 40);
    await world.env.sleep(30 * SECOND_MS);
    await world.reportVersion(task, DEVICE, '2.0.0');
    await world.run(DEVICE).result();
    expect(world.devices.sentTo(DEVICE)).toHaveLength(1);
  });

  it('is left alone when the device reconnects after step 100: it is about to report its version', async () => {
    const task = await upgrade(100);
    await world.comesOnline(task, DEVICE);
    await world.env.sleep(30 * SECOND_MS);
    expect(world.devices.sentTo(DEVICE)).toHaveLength(1);
  });
});

describe('updates that no longer fit', () => {
  it('fails a device that has moved to a version which the batch does not name', async () => {
    world.devices.online.delete(DEVICE);
    const task = await world.batch();
    await world.until(task, DEVICE, ({ begunAtMs }) => begunAtMs !== null);
    await world.reportedVersion(DEVICE, '1.5.0');
    await world.comesOnline(task, DEVICE);
    expect(await failureOf(task)).toMatchObject({
      type: 'update-failed',
      message: expect.stringContaining('1.5.0') as string,
    });
    expect(world.devices.sentTo(DEVICE)).toEqual([]);
  });
});

describe('cancelling a device update', () => {
  const states = {
    'pending, offline': async () => {
      world.devices.online.delete(DEVICE);
      const task = await world.verify([DEVICE]);
      await world.until(task, DEVICE, ({ begunAtMs }) => begunAtMs !== null);
      return task;
    },
    notified: async () => {
      const task = await world.verify([DEVICE]);
      await world.until(task, DEVICE, ({ status }) => status === 'notified');
      return task;
    },
    upgrading: async () => {
      const task = await world.verify([DEVICE]);
      await world.until(task, DEVICE, ({ status }) => status === 'notified');
      await world.reportProgress(task, DEVICE, 10);
      return task;
    },
    'waiting for confirmation': async () => {
      const task = await world.verify([DEVICE]);
      await world.until(task, DEVICE, ({ status }) => status === 'notified');
      await world.reportProgress(task, DEVICE, 100);
      return task;
    },
  };

  it.each(Object.entries(states))(
    'records it as cancelled when it is %s, and the run closes as Canceled',
    async (_state, reach) => {
      const task = await reach();
      await world.run(DEVICE).cancel();
      const error: unknown = await world
        .run(DEVICE)
        .result()
        .catch((e: unknown) => e);
      expect((error as WorkflowFailedError).cause).toBeInstanceOf(CancelledFailure);
      expect(await world.records.getDeviceUpdate(task.id, DEVICE)).toMatchObject({
        status: 'cancelled',
        outcome: null,
      });
      const ended = await world.untilTask(task, ({ status }) => status === 'completed');
      expect(ended.counts).toMatchObject({ cancelled: 1, total: 1 });
    },
  );

  it('before its turn never begins it', async () => {
    const { value: task } = await world.records.createTask({
      id: `never-${world.firmwareId}`,
      kind: 'verification',
      firmwareId: world.firmwareId,
      sourceVersions: [],
      deviceNames: [DEVICE],
      policy: (await import('../../domain/policy.js')).resolvePolicy('verification'),
      createdAtMs: await world.env.currentTimeMs(),
    });
    await world.records.requestDeviceCancel(task.id, DEVICE, await world.env.currentTimeMs());
    await world.startRun(task);
    await world.taskRun(task).result();
    expect(await world.records.getDeviceUpdate(task.id, DEVICE)).toMatchObject({
      status: 'cancelled',
      notifications: 0,
    });
    expect(world.devices.sentTo(DEVICE)).toEqual([]);
  });
});
