import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  cancelled,
  failed,
  initialState,
  notified,
  progressed,
  succeeded,
  type DeviceUpdateState,
} from '../../domain/device-update.js';
import type { Records } from '../../records/records.js';
import {
  Ground,
  light,
  PRODUCT,
  selfSubscribed,
  sysTopic,
  TARGET,
  topicOf,
  urlOf,
  type SentSignal,
  type TestDevice,
} from './ground.js';

let ground: Ground;
beforeEach(async () => {
  ground = await Ground.start();
});
afterEach(() => ground.stop());

/** What the engine is told but for the device's coming online. */
const told = () => ground.signals.sent.filter(({ name }) => name !== 'online');
const toldNames = () => told().map(({ name }) => name);

/** What is untold is told in the background: resolves when that is done. */
const news = () => ground.gateway.tellNews();

/** Holds back what the engine answers to one kind of signal. */
function hold(name: string) {
  let release: (answer: 'delivered') => void = () => undefined;
  const held = new Promise<'delivered'>((resolve) => (release = resolve));
  ground.signals.answer = async (signal) => (signal.name === name ? held : 'delivered');
  return () => release('delivered');
}

/** The engine fails this many times, then works. */
function failTimes(times: number, name: string) {
  let left = times;
  ground.signals.answer = async (signal: SentSignal) => {
    if (signal.name === name && left-- > 0) throw new Error('engine away');
    return 'delivered';
  };
}

describe('version reports', () => {
  it('are recorded by module, without an update too', async () => {
    const device = await ground.device();
    await device.runs('1.0.0');
    await device.runs('0.9', 'MCU');
    const { modules } = (await ground.records.getDevice(light(1))) ?? {};
    expect(modules?.map(({ module, version }) => [module, version])).toEqual(
      expect.arrayContaining([
        ['default', '1.0.0'],
        ['MCU', '0.9'],
      ]),
    );
    expect(told()).toEqual([]);
  });

  it('of the target version are signalled to the very run; of other versions and modules they are not', async () => {
    const { taskId, runId } = await ground.notifiedUpdate();
    const device = await ground.device();
    await device.runs('1.0.0');
    await device.runs(TARGET, 'MCU');
    expect(told()).toEqual([]);
    await device.runs(TARGET);
    await news();
    expect(told()).toEqual([
      {
        name: 'version',
        run: { ...light(1), runId },
        message: { taskId, version: TARGET, atMs: expect.any(Number) as number },
      },
    ]);
  });

  it('count without any progress before them, and however often they come, their run is told once', async () => {
    await ground.begunUpdate();
    const device = await ground.device();
    for (let n = 0; n < 3; n++) {
      await device.runs(TARGET);
      await news();
    }
    expect(toldNames()).toEqual(['version']);
  });
});

describe('progress reports', () => {
  it('from 1 to 100: all recorded and acknowledged without the engine; it is told of the first and the hundredth', async () => {
    const { taskId } = await ground.notifiedUpdate();
    const device = await ground.device();
    for (const step of ['1', 20, '35', 20, 99]) await device.progress(step);
    expect(told()).toEqual([]);
    expect(await ground.recordOf(taskId)).toMatchObject({ status: 'upgrading', step: 99, hundredAtMs: null });
    await ground.gateway.tellProgress();
    await ground.gateway.tellProgress();
    const { startedAtMs, lastProgressAtMs } = await ground.recordOf(taskId);
    const progress = { step: 99, startedAtMs, lastProgressAtMs, hundredAtMs: null };
    expect(told()).toMatchObject([{ name: 'progress', message: { taskId, step: 99, atMs: startedAtMs, progress } }]);
    await device.progress(100);
    await device.progress('100');
    await ground.gateway.tellProgress();
    await ground.gateway.tellProgress();
    expect(told()).toMatchObject([{}, { name: 'progress', message: { taskId, step: 100 } }]);
    await device.runs(TARGET);
    await news();
    expect(toldNames()).toEqual(['progress', 'progress', 'version']);
  });

  it('counts 0 as the first progress, at quality 0 too', async () => {
    const { taskId } = await ground.notifiedUpdate();
    const device = await ground.device();
    await device.progress('0', {}, 0);
    await device.handled();
    await ground.gateway.tellProgress();
    expect(told()).toMatchObject([{ name: 'progress', message: { taskId, step: 0 } }]);
    expect(await ground.recordOf(taskId)).toMatchObject({ status: 'upgrading', step: 0 });
  });

  it('tells of 100 as the first progress with one signal', async () => {
    await ground.notifiedUpdate();
    const device = await ground.device();
    await device.progress(100);
    await device.progress(100);
    await ground.gateway.tellProgress();
    await ground.gateway.tellProgress();
    expect(told()).toMatchObject([{ name: 'progress', message: { step: 100 } }]);
  });

  it('needs no signal of its own when the new version follows at once: that one carries it', async () => {
    const { taskId } = await ground.notifiedUpdate();
    const device = await ground.device();
    await Promise.all([device.progress(5), device.progress(100), device.runs(TARGET)]);
    await news();
    const { step, startedAtMs, lastProgressAtMs, hundredAtMs } = await ground.recordOf(taskId);
    expect(step).toBe(100);
    expect(told()).toMatchObject([
      { name: 'version', message: { version: TARGET, progress: { step, startedAtMs, lastProgressAtMs, hundredAtMs } } },
    ]);
  });

  it('is told of with a failure, and with the device’s coming online', async () => {
    await ground.notifiedUpdate();
    const device = await ground.device();
    await device.progress(40);
    await ground.device(); // takes over
    await ground.signals.count(2);
    expect(ground.signals.sent[1]).toMatchObject({ name: 'online', message: { progress: { step: 40 } } });
    const again = await ground.device();
    await again.progress(-2);
    await news();
    expect(told()).toMatchObject([{ name: 'failure', message: { progress: { step: 40 } } }]);
  });

  it('never wait for the engine, and reach it in their order', async () => {
    await ground.notifiedUpdate();
    const release = hold('failure');
    const device = await ground.device();
    await Promise.all([device.progress(-1), device.runs(TARGET)]);
    await ground.signals.count(2); // online, failure
    await (await ground.device(light(2))).handled();
    expect(toldNames()).toEqual(['failure']);
    release();
    await news();
    expect(toldNames()).toEqual(['failure', 'version']);
  });

  it('that can’t be read are a sign of life of an update in progress; with a step of any spelling, its beginning', async () => {
    const { taskId } = await ground.notifiedUpdate();
    const device = await ground.device();
    const topic = topicOf('progress', light(1));
    await device.publish(topic, 'rubbish');
    expect(await ground.recordOf(taskId)).toMatchObject({ status: 'notified', lastProgressAtMs: null });
    await device.publish(topic, { params: { step: 'forty' } });
    expect(await ground.recordOf(taskId)).toMatchObject({ status: 'upgrading', step: 0 });
    await device.progress(40);
    const { lastProgressAtMs } = await ground.recordOf(taskId);
    while (Date.now() <= (lastProgressAtMs ?? 0)) await device.handled();
    await device.publish(topic, 'rubbish');
    const alive = await ground.recordOf(taskId);
    expect(alive.step).toBe(40);
    expect(alive.lastProgressAtMs).toBeGreaterThan(lastProgressAtMs ?? 0);
    expect(await ground.irregularities('malformed-payload')).toBe(3);
  });

  it('without a module means the update under way; with another module it is stale', async () => {
    const { taskId } = await ground.notifiedUpdate(light(1), { module: 'MCU' });
    const device = await ground.device();
    await device.progress(10, { module: 'other' });
    expect(told()).toEqual([]);
    await device.progress(10);
    await device.progress(20, { module: 'MCU' });
    expect((await ground.recordOf(taskId)).step).toBe(20);
    expect(await ground.irregularities('stale-report')).toBe(1);
  });

  it('is stale before the notification, after the end, and without an update: acknowledged, counted, no change', async () => {
    const device = await ground.device(light(2));
    await device.progress(10);
    await device.progress(-2);
    const { taskId, runId } = await ground.begunUpdate(light(2));
    await device.progress(20);
    await device.progress(-1);
    expect(await ground.recordOf(taskId, light(2))).toMatchObject({ status: 'pending', step: null });
    await ground.records.recordDeviceUpdate(taskId, light(2), succeeded(initialState(1), 9), runId);
    await device.progress(30);
    await device.progress(-3);
    expect(await ground.irregularities('stale-report')).toBe(6);
    expect(told()).toEqual([]);
    expect(ground.logged.filter(({ kind }) => kind === 'stale-report')).toHaveLength(1);
  });

  it('is told again when an earlier signal was lost', async () => {
    await ground.notifiedUpdate();
    failTimes(1, 'progress');
    const device = await ground.device();
    await device.progress(100, {}, 0);
    await device.handled();
    await expect(ground.gateway.tellProgress()).rejects.toThrow('engine away');
    await ground.gateway.tellProgress();
    await ground.gateway.tellProgress();
    expect(told()).toMatchObject([{ message: { step: 100 } }, { message: { step: 100 } }]);
  });

  it('is told of the others though one can’t be told', async () => {
    const { taskId } = await ground.notifiedUpdate();
    const other = await ground.notifiedUpdate(light(2), { module: 'MCU' });
    await (await ground.device()).progress(1);
    await (await ground.device(light(2))).progress(2);
    ground.signals.answer = async ({ message }) => {
      if (message.taskId === taskId) throw new Error('refused');
      return 'delivered';
    };
    await expect(ground.gateway.tellProgress()).rejects.toThrow('refused');
    await expect(ground.gateway.tellProgress()).rejects.toThrow('refused');
    expect(told().map(({ message }) => message.taskId)).toEqual([taskId, other.taskId, taskId]);
  });

  it('of a run that is over is dropped', async () => {
    await ground.notifiedUpdate();
    ground.signals.answer = async () => 'ended';
    const device = await ground.device();
    await device.progress(1);
    await ground.gateway.tellProgress();
    await ground.gateway.tellProgress();
    await device.progress(-1);
    await device.runs(TARGET);
    await news();
    expect(device.client.connected).toBe(true);
    expect(toldNames()).toEqual(['progress', 'failure', 'version']);
  });
});

describe('failures', () => {
  it.each([
    [-1, 'update-failed'],
    ['-2', 'download-failed'],
    [-3, 'verification-failed'],
    ['-4', 'extraction-failed'],
  ])('step %s is signalled as %s, with what the device says of it', async (step, cause) => {
    const { taskId, runId } = await ground.notifiedUpdate();
    const device = await ground.device();
    await device.progress(step, { desc: 'sector 7\u0000 bad\n' });
    await news();
    expect(told()).toEqual([
      {
        name: 'failure',
        run: { ...light(1), runId },
        message: { taskId, cause, description: 'sector 7  bad', atMs: expect.any(Number) as number },
      },
    ]);
    expect(await ground.recordOf(taskId)).toMatchObject({ status: 'notified', step: null });
  });
});

describe('failures while the engine is away', () => {
  it('at quality 0 are kept and told by the next sweep, once', async () => {
    const { taskId } = await ground.notifiedUpdate();
    failTimes(1, 'failure');
    const device = await ground.device();
    await device.publish(topicOf('progress', light(1)), { id: 1, params: { step: -2, desc: 'no route' } }, 0);
    await ground.signals.count(2); // online, failure
    await device.handled();
    await ground.gateway.sweep(ground.broker.link);
    await ground.gateway.sweep(ground.broker.link);
    expect(toldNames()).toEqual(['failure', 'failure']);
    expect(told()[1]?.message).toMatchObject({ taskId, cause: 'download-failed', description: 'no route' });
  });
});

/** With records that are not as they should be. */
async function startAnew(spoil: (records: Records) => Records): Promise<void> {
  await ground.stop();
  ground = await Ground.start({ spoil });
}

function failingOnce<A extends unknown[], R>(works: (...args: A) => Promise<R>, fail: () => Promise<never>) {
  let hasFailed = false;
  return (...args: A): Promise<R> => {
    if (hasFailed) return works(...args);
    hasFailed = true;
    return fail();
  };
}

describe('the acknowledgement', () => {
  it('comes when the report is in the records, while the engine still thinks', async () => {
    const { taskId } = await ground.notifiedUpdate();
    const release = hold('failure');
    const device = await ground.device();
    await device.progress(-1);
    const { id } = await ground.recordOf(taskId);
    expect(await ground.records.getDeviceUpdateById(id)).toMatchObject({ reportedFailure: { cause: 'update-failed' } });
    release();
    await news();
  });

  it.each([
    ['a failure', 'failure', (device: TestDevice) => device.progress(-2)],
    ['the new version', 'version', (device: TestDevice) => device.runs(TARGET)],
  ])('of %s comes with the engine away too: the connection lives on, the run is told later, once', async (...each) => {
    const [, name, report] = each;
    const { taskId } = await ground.notifiedUpdate();
    failTimes(2, name);
    const device = await ground.device();
    await report(device);
    await device.handled();
    while (toldNames().length < 3) await news().catch(() => undefined);
    await news();
    expect(told().map(({ message }) => message.taskId)).toEqual([taskId, taskId, taskId]);
    expect(device.client.connected).toBe(true);
    expect(await ground.irregularities('unacknowledged')).toBe(0);
  });

  it('comes never when the records are away', async () => {
    const diskFull = () => Promise.reject(new Error('disk full'));
    await startAnew((records) => ({
      ...records,
      versionReported: failingOnce(records.versionReported.bind(records), diskFull),
    }));
    const device = await ground.connect(light(1), selfSubscribed(light(1)), { reconnectPeriod: 1, clean: false });
    await device.runs('1.0.0');
    expect((await ground.records.getDevice(light(1)))?.version).toBe('1.0.0');
    expect(await ground.irregularities('unacknowledged')).toBe(1);
  });

  it('comes never for what breaks at once, and the next report does not wait for it', async () => {
    const bug = () => {
      throw new Error('a bug of ours');
    };
    await startAnew((records) => ({
      ...records,
      progressReported: failingOnce(records.progressReported.bind(records), bug),
    }));
    await ground.notifiedUpdate();
    const device = await ground.connect(light(1), selfSubscribed(light(1)), { reconnectPeriod: 1, clean: false });
    await Promise.all([device.progress(1), device.progress(2)]);
    expect(await ground.irregularities('unacknowledged')).toBeGreaterThanOrEqual(1);
  });

  it('of quality 2 works too', async () => {
    const { taskId } = await ground.notifiedUpdate();
    const device = await ground.device();
    await device.publish(topicOf('progress', light(1)), { params: { step: 7 } }, 2);
    expect((await ground.recordOf(taskId)).step).toBe(7);
  });
});

describe('late reports', () => {
  type Ending = (middle: DeviceUpdateState) => DeviceUpdateState;
  const byAnOperator: Ending = (middle) => cancelled(middle, Date.now() - 1_000, 'An operator cancelled it.');

  /** An update that was ended in its middle, and the device's next one, of which it was notified. */
  async function cancelledAndNext(end = byAnOperator) {
    const first = await ground.notifiedUpdate();
    const over = end(progressed(notified(initialState(1), 2), 40, Date.now() - 2_000));
    await ground.records.recordDeviceUpdate(first.taskId, light(1), over, first.runId);
    const next = await ground.begunUpdate();
    const told = notified(initialState(Date.now() - 500), Date.now());
    await ground.records.recordDeviceUpdate(next.taskId, light(1), told, next.runId);
    return { next, device: await ground.device() };
  }

  it.each([-1, -2, 100] as const)('of step %s end the update that was cancelled, not the next one', async (step) => {
    for (const qos of [0, 1] as const) {
      await ground.stop();
      ground = await Ground.start();
      const { next, device } = await cancelledAndNext();
      await device.progress(step, {}, qos);
      await device.handled();
      await news();
      expect(toldNames()).toEqual([]);
      expect(await ground.recordOf(next.taskId)).toMatchObject({ status: 'notified', step: null, hundredAtMs: null });
      expect(await ground.irregularities('stale-report')).toBe(1);
    }
  });

  it.each(['stalled', 'offline-expired'] as const)(
    'are the last word of one that a time limit has ended (%s)',
    async (cause) => {
      const { device } = await cancelledAndNext((middle) => failed(middle, cause, Date.now() - 1_000));
      await device.progress(-2);
      await news();
      expect(toldNames()).toEqual([]);
      expect(await ground.irregularities('stale-report')).toBe(1);
    },
  );

  it('of percentages beyond the cancelled one’s do not begin the next one; its own do', async () => {
    const { next, device } = await cancelledAndNext();
    await device.progress(60);
    expect(await ground.recordOf(next.taskId)).toMatchObject({ status: 'notified', step: null });
    await device.progress(0);
    expect(await ground.recordOf(next.taskId)).toMatchObject({ status: 'upgrading', step: 0 });
    await device.progress(-3);
    await news();
    expect(told().at(-1)).toMatchObject({ name: 'failure', message: { cause: 'verification-failed' } });
  });

  it('are one last word: the second failure is the present update’s', async () => {
    const { next, device } = await cancelledAndNext();
    await device.progress(-2);
    await device.progress(-2);
    await news();
    expect(told()).toMatchObject([{ name: 'failure', message: { taskId: next.taskId } }]);
  });
});

describe('version reports within the soak time', () => {
  it('of another version than the target are noted and signalled as a fall-back, once', async () => {
    const { taskId } = await ground.notifiedUpdate(light(1), { soakMs: 60_000 });
    const device = await ground.device();
    await device.runs(TARGET);
    await device.runs('1.0.0');
    await device.runs('1.0.0');
    await news();
    const failure = { taskId, cause: 'fell-back', description: 'It runs 1.0.0.', atMs: expect.any(Number) as number };
    expect(told()).toMatchObject([{ name: 'version' }, { name: 'failure', message: failure }]);
  });

  it('of the target version are signalled once, however many come: runs are not to grow for weeks', async () => {
    await ground.notifiedUpdate(light(1), { soakMs: 60_000 });
    failTimes(1, 'version');
    const device = await ground.device();
    await device.publish(topicOf('inform', light(1)), { params: { version: TARGET } }, 0);
    await ground.signals.count(2); // online, version
    for (let n = 0; n < 20; n++) await device.runs(TARGET);
    await news();
    expect(toldNames()).toEqual(['version', 'version']);
  });

  it('are noted also while the engine can’t be told, and told by the sweep', async () => {
    await ground.notifiedUpdate(light(1), { soakMs: 60_000 });
    const device = await ground.device();
    await device.runs(TARGET);
    await news();
    failTimes(1, 'failure');
    await device.publish(topicOf('inform', light(1)), { params: { version: '1.0.0' } }, 0);
    await ground.signals.count(3); // online, version, failure
    await ground.gateway.sweep(ground.broker.link);
    expect(toldNames()).toEqual(['version', 'failure', 'failure']);
  });
});

describe('queries', () => {
  const get = sysTopic(light(1), 'thing/ota/firmware/get');
  const reply = sysTopic(light(1), 'thing/ota/firmware/get_reply');
  const request = topicOf('request', light(1));

  it('of a device with nothing to do get empty data', async () => {
    const device = await ground.device();
    await device.publish(get, '{"id":"2","version":"1.0","params":{},}');
    expect((await device.next(reply)).payload).toBe('{"code":200,"data":{},"id":"2","message":"success"}');
    await device.publish(request, { id: 3, params: { version: '1.0.0' } });
    expect((await device.next(request)).payload).toBe('{"code":"1000","data":{},"id":3,"message":"success"}');
  });

  it('get nothing while the firmware’s file is damaged: the device would take its refusal for a failed download', async () => {
    await ground.stop();
    ground = await Ground.start({ integrity: 'corrupt' });
    const { taskId } = await ground.begunUpdate();
    const device = await ground.device();
    await device.publish(get, { id: '2', version: '1.0', params: {} });
    expect((await device.next(reply)).payload).toContain('"data":{}');
    await device.publish(request, { id: 3, params: { version: '1.0.0' } });
    expect((await device.next(request)).payload).toContain('"data":{}');
    expect(toldNames()).toEqual([]);
    expect(await ground.recordOf(taskId)).toMatchObject({ status: 'pending' });
  });

  it('of a device in an open update get the firmware, after its run and record know of it', async () => {
    const { taskId } = await ground.begunUpdate();
    const release = hold('fetched');
    const device = await ground.device();
    const published = device.publish(get, { id: '7', version: '1.0', params: {} });
    await ground.signals.count(2); // online, fetched
    expect(device.received).toEqual([]);
    release();
    await published;
    const { payload } = await device.next(reply);
    const update = await ground.records.getDeviceUpdateById((await ground.recordOf(taskId)).id);
    expect(JSON.parse(payload)).toMatchObject({
      code: 200,
      id: '7',
      data: { version: TARGET, url: update && urlOf(update), signMethod: 'Md5' },
    });
    expect(told()).toMatchObject([{ name: 'fetched', message: { taskId } }]);
    // As good as a notification: progress counts from here on.
    await device.progress(1);
    expect(await ground.recordOf(taskId)).toMatchObject({ status: 'upgrading', notifications: 1 });
  });

  it('in the older form get the notification on the topic of the question, once, in no circle', async () => {
    await ground.begunUpdate();
    const device = await ground.connect(light(1), selfSubscribed(light(1)));
    await device.client.subscribeAsync(request, { qos: 1 });
    await device.publish(request, '{"id":3,"params":{"version":"1.0.0"}}');
    const { payload } = await device.next(request);
    expect(payload).toMatch(/^\{"code":"1000","data":\{"size":300000,.*"md5":".*\},"id":3,"message":"success"\}$/);
    await device.publish(request, payload); // a device that sends it back
    await device.handled();
    expect(device.received).toEqual([]);
    expect(toldNames()).toEqual(['fetched']);
  });

  it.each([
    ['another module', async () => undefined, '{"id":"2","params":{"module":"MCU"}}'],
    ['the target version already', (device: { runs(v: string): Promise<void> }) => device.runs(TARGET), '{"id":"2"}'],
  ])('are answered with nothing for %s', async (_, prepare, question) => {
    await ground.begunUpdate();
    const device = await ground.device();
    await prepare(device);
    await device.publish(get, question);
    expect((await device.next(reply)).payload).toContain('"data":{}');
    expect(toldNames()).not.toContain('fetched');
  });

  it('are answered with nothing before the run has begun, once it is cancelled, and when it is over', async () => {
    const { taskId } = await ground.begunUpdate();
    const device = await ground.device();
    ground.signals.answer = async () => 'ended';
    await device.publish(get, '{"id":"2"}');
    expect((await device.next(reply)).payload).toContain('"data":{}');
    expect((await ground.recordOf(taskId)).notifiedAtMs).toBeNull();
    ground.signals.answer = async () => 'delivered';
    await ground.records.requestDeviceCancel(taskId, 'light-01', 5);
    await device.publish(get, '{"id":"2"}');
    expect((await device.next(reply)).payload).toContain('"data":{}');
  });

  it('are answered with nothing once the task is to be cancelled, though no run was told', async () => {
    const { taskId } = await ground.notifiedUpdate();
    const device = await ground.connect(light(1), selfSubscribed(light(1)));
    await device.client.subscribeAsync([reply, request], { qos: 1 });
    await ground.records.requestTaskCancel(taskId, 5);
    failTimes(100, 'fetched');
    await device.publish(get, '{"id":"2"}');
    expect((await device.next(reply)).payload).toContain('"data":{}');
    await device.publish(request, '{"id":3,"params":{"version":"1.0.0"}}');
    expect((await device.next(request)).payload).not.toContain('"url"');
    expect(toldNames()).not.toContain('fetched');
  });

  it('are answered with nothing once the device has reported a failure, also while the engine can’t be told', async () => {
    await ground.notifiedUpdate();
    const device = await ground.device();
    failTimes(100, 'failure');
    await device.publish(topicOf('progress', light(1)), { params: { step: -2 } }, 0);
    await ground.signals.count(2); // online, failure
    const again = await ground.device();
    await again.publish(get, '{"id":"2"}');
    expect((await again.next(reply)).payload).toContain('"data":{}');
    expect(toldNames()).not.toContain('fetched');
  });

  it('that come all the time do not flood the run', async () => {
    await ground.begunUpdate();
    const device = await ground.device();
    for (let n = 0; n < 20; n++) {
      await device.publish(get, { id: n, params: {} });
      expect((await device.next(reply)).payload).toContain('"url"');
    }
    expect(toldNames()).toHaveLength(5);
  });

  it('are not answered to a device that does not listen', async () => {
    const device = await ground.connect(light(1), selfSubscribed(light(1)));
    await device.publish(get, '{"id":"2"}');
    await device.handled();
    expect(device.received).toEqual([]);
  });
});

describe('other messages', () => {
  it('the clock question is answered with three times', async () => {
    const device = await ground.device();
    const before = Date.now();
    await device.publish(`/ext/ntp/${PRODUCT}/light-01/request`, '{"deviceSendTime":"1571724098000"}');
    const { payload } = await device.next(`/ext/ntp/${PRODUCT}/light-01/response`);
    const times = JSON.parse(payload) as Record<string, string>;
    expect(Object.keys(times)).toEqual(['deviceSendTime', 'serverRecvTime', 'serverSendTime']);
    expect(times.deviceSendTime).toBe('1571724098000');
    expect(Number(times.serverRecvTime)).toBeGreaterThanOrEqual(before);
  });

  it('a message to another service of the platform is answered if it has an id and wants it', async () => {
    const device = await ground.device();
    const post = sysTopic(light(1), 'thing/event/property/post');
    await device.publish(post, { id: '11', version: '1.0', params: { power: 1 }, method: 'thing.event.property.post' });
    expect((await device.next(`${post}_reply`)).payload).toBe('{"code":200,"data":{},"id":"11","message":"success"}');
    await device.publish(post, { params: {} });
    await device.publish(post, { id: '12', sys: { ack: 0 } });
    await device.publish(`${post}_reply`, { id: '13', code: 200 });
    await device.handled();
    expect(device.received).toEqual([]);
  });
});
