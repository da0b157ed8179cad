import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Device } from '../e2e/device.js';
import { Ferry } from '../e2e/ferry.js';
import { HISTORIES_FOLDER } from '../replay/histories.js';
import { Terminal, type Result } from './terminal.js';

let service: Ferry;
let folder: string;
let token: string;
let taskId: string;

/** A verification in which one device fails in its download, one in flashing, and one succeeds. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ferry-replay-'));
  service = await Ferry.start();
  token = (await readFile(join(service.folder, 'admin-token'), 'utf8')).trim();
  await service.post('/v1/products', { productKey: 'lamp', name: 'Lamp' });
  const deviceNames = ['good', 'offline-route', 'full-flash'];
  const { body } = await service.post<{ devices: { deviceName: string; deviceSecret: string }[] }>(
    '/v1/products/lamp/devices',
    { devices: deviceNames.map((deviceName) => ({ deviceName })) },
  );
  const [good, route, flash] = await Promise.all(
    body.devices.map(async ({ deviceName, deviceSecret }) => {
      const device = await Device.connect(service.mqttUrl, 'lamp', deviceName, deviceSecret);
      await device.runs('1.0');
      return device;
    }),
  );
  const firmware = await service.addFirmware('lamp', 'main', '2.0');
  const task = await service.post<{ id: string }>(`/v1/firmware/${firmware.body.id}/verifications`, { deviceNames });
  taskId = task.body.id;
  await good?.update();
  await route?.notification();
  await route?.progress(-2, 'no route');
  await flash?.notification();
  await flash?.progress(40);
  await flash?.progress(-4, 'flash is full');
  await service.until<{ status: string }>(`/v1/tasks/${taskId}`, ({ status }) => status === 'completed');
  for (const device of [good, route, flash]) await device?.leave();
});
afterAll(async () => {
  await service.stop();
  await rm(folder, { recursive: true, force: true });
});

const replay = (...words: string[]): Promise<Result> =>
  new Terminal({ FERRY_URL: service.url, FERRY_TOKEN: token }).run(['replay', ...words]);

describe('ferry replay', () => {
  it('tells the newest update of a device, event by event, with the cause at the end', async () => {
    const { exitCode, out } = await replay('full-flash', '--product', 'lamp');
    expect(exitCode).toBe(0);
    expect(out).toMatch(
      /The device failed: extraction-failed \(“flash is full”\)\. Until then it had reported step 40\.[^]*→ extraction-failed, step 40/,
    );
    expect(out).toContain('In the end: failed, cause extraction-failed.');
    expect(out).toContain('flash is full');
    expect(out).toContain("It replays against this version's workflows");
    expect(out).not.toContain('WorkflowTaskScheduled');
    expect((await replay('full-flash', '--task', taskId, '--events', 'all')).out).toContain('(WorkflowTaskScheduled)');
  });

  it('tells a task, and any run by its workflow id', async () => {
    expect((await replay(taskId)).out).toContain('In the end: 1 succeeded, 2 failed, 0 cancelled.');
    expect((await replay(`verification/${taskId}`)).out).toContain('/good ended: succeeded.');
    expect((await replay('device-update/lamp/good')).out).toContain('In the end: succeeded.');
  });

  it('answers in JSON for programs', async () => {
    const { out } = await replay('offline-route', '--product', 'lamp', '--json');
    const account = JSON.parse(out) as { events: { state: unknown }[] };
    expect(account).toMatchObject({
      workflowId: 'device-update/lamp/offline-route',
      type: 'deviceUpdate',
      outcome: 'failed',
      cause: 'download-failed',
      replay: { matches: true, mismatch: null },
    });
    expect(account.events.at(-1)).toMatchObject({
      type: 'WorkflowExecutionFailed',
      state: { cause: 'download-failed' },
    });
  });

  it('replays all failed device updates of a task, and sums them up', async () => {
    const { exitCode, out } = await replay('--all-failed', '--task', taskId);
    expect(exitCode).toBe(0);
    expect(out).toContain('2 failed device updates replayed, 2 as recorded.');
    expect(out).toMatch(
      /By cause: (download-failed 1 · extraction-failed 1|extraction-failed 1 · download-failed 1)\./,
    );
    expect(out).not.toContain('device-update/lamp/good ');
  });

  it('says what is wrong with what it is asked for', async () => {
    expect((await replay()).exitCode).toBe(2);
    expect((await replay('--all-failed')).exitCode).toBe(2);
    expect((await replay('nothing')).err).toBe(
      'error: There is no task nothing. A device needs its --product or --task.\n',
    );
    expect((await replay('device-update/lamp/nobody')).err).toContain('or is older than the retention');
    await writeFile(join(folder, 'other.json'), '{"events":[]}');
    expect((await replay('--file', join(folder, 'other.json'))).err).toBe(
      'error: This is no history of a Temporal run.\n',
    );
  });

  it('exits with 1 and names the mismatch of a history that today’s workflows would not make', async () => {
    const text = await readFile(join(HISTORIES_FOLDER, '1', 'deviceUpdate-stalls.json'), 'utf8');
    const history = JSON.parse(text) as { events: { eventType: string; timerStartedEventAttributes?: object }[] };
    // As if an earlier release had started a child where today's waits on a clock.
    const timer = history.events.find(({ eventType }) => eventType === 'EVENT_TYPE_TIMER_STARTED');
    Object.assign(timer ?? {}, { eventType: 'EVENT_TYPE_MARKER_RECORDED' });
    if (timer) delete timer.timerStartedEventAttributes;
    Object.assign(timer ?? {}, { markerRecordedEventAttributes: { markerName: 'another' } });
    await writeFile(join(folder, 'mismatch.json'), JSON.stringify(history));
    const { exitCode, out, err } = await replay('--file', join(folder, 'mismatch.json'));
    expect(exitCode).toBe(1);
    expect(out).toContain("It does NOT replay against this version's workflows");
    expect(err).toContain('docs/versioning.md');
  });
});
