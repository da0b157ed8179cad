import { parse } from 'csv-parse/sync';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { World, type ProblemBody } from './world.js';

interface Task {
  id: string;
  [member: string]: unknown;
}

describe('Update tasks', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.open();
    await world.product();
  });
  afterEach(() => world.close());

  it('begin as a verification of a few devices, of which the engine is told', async () => {
    const firmwareId = await world.firmware();
    const { status, headers, body } = await world.post<Task>(`/v1/firmware/${firmwareId}/verifications`, {
      deviceNames: ['lamp-1', 'lamp-2'],
      policy: { stallTimeoutMs: 5_000 },
    });
    expect(status).toBe(202);
    expect(headers.get('location')).toBe(`/v1/tasks/${body.id}`);
    expect(body).toMatchObject({
      kind: 'verification',
      status: 'pending',
      firmware: { id: firmwareId, version: '2.0.0' },
      sourceVersions: [],
      policy: { stallTimeoutMs: 5_000, offlineTimeoutMs: 3_600_000 },
      counts: { pending: 2, total: 2, succeeded: 0 },
      reinitiates: null,
      workflow: {
        id: `verification/${body.id}`,
        runId: null,
        url: `http://ui.test/namespaces/default/workflows/verification%2F${body.id}`,
      },
      startedAt: null,
      endedAt: null,
    });
    expect(Date.parse(String(body['createdAt']))).toBeGreaterThan(Date.now() - 10_000);
    expect(world.delivered).toEqual([body.id]);
  });

  it('end as verified firmware, of which a batch takes every device on the source versions', async () => {
    const firmwareId = await world.verifiedFirmware();
    await world.runs('lamp-3', '0.9');
    const batch = await world.post<Task>(`/v1/firmware/${firmwareId}/batch-updates`, { sourceVersions: ['1.0.0'] });
    expect(batch).toMatchObject({
      status: 202,
      body: { kind: 'batch', sourceVersions: ['1.0.0'], counts: { total: 2 } },
    });
    expect((await world.get(`/v1/firmware/${firmwareId}`)).body).toMatchObject({ status: 'verified', openTasks: 1 });
  });

  it('refuse a batch of firmware that is not verified', async () => {
    const firmwareId = await world.firmware();
    const answer = await world.post<ProblemBody>(`/v1/firmware/${firmwareId}/batch-updates`, {
      sourceVersions: ['1.0.0'],
    });
    expect(answer).toMatchObject({ status: 409, body: { code: 'firmware-not-verified' } });
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
  });

  it('refuse a batch whose source version another batch names, and say which', async () => {
    const [b, c] = [await world.verifiedFirmware('2.0.0'), await world.verifiedFirmware('3.0.0')];
    const first = await world.post<Task>(`/v1/firmware/${b}/batch-updates`, { sourceVersions: ['1.0.0'] });
    const second = await world.post<ProblemBody>(`/v1/firmware/${c}/batch-updates`, {
      sourceVersions: ['1.0.0', '0.9'],
    });
    expect(second).toMatchObject({
      status: 409,
      body: {
        type: 'urn:ferry:problem:update-task-conflict',
        status: 409,
        code: 'update-task-conflict',
        conflicts: [{ taskId: first.body.id, firmware: { id: b, version: '2.0.0' }, sourceVersions: ['1.0.0'] }],
      },
    });
    expect(world.delivered).not.toContain(second.body['id']);
  });

  it('let exactly one of 50 simultaneous conflicting batches win', async () => {
    const firmwareIds = [await world.verifiedFirmware('2.0.0'), await world.verifiedFirmware('3.0.0')];
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        world.post<ProblemBody>(`/v1/firmware/${firmwareIds[i % 2] ?? ''}/batch-updates`, {
          sourceVersions: ['1.0.0'],
        }),
      ),
    );
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(answers.filter(({ body }) => body.code === 'update-task-conflict')).toHaveLength(49);
  });

  it('are created once for one idempotency key, also at the same instant', async () => {
    const firmwareId = await world.verifiedFirmware();
    const create = (sourceVersions: string[]) =>
      world.send<Task & ProblemBody>('POST', `/v1/firmware/${firmwareId}/batch-updates`, {
        body: JSON.stringify({ sourceVersions }),
        headers: { 'content-type': 'application/json', 'idempotency-key': 'batch-1' },
      });
    const answers = await Promise.all(Array.from({ length: 10 }, () => create(['1.0.0'])));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === 'true')).toHaveLength(9);
    expect(await create(['0.9'])).toMatchObject({ status: 422, body: { code: 'idempotency-key-reused' } });
  });

  it.each([
    [['nobody'], 'nobody'],
    [['lamp-1', 'lamp-1'], 'lamp-1'],
  ])('refuse the devices %j, saying what is wrong', async (deviceNames, deviceName) => {
    const firmwareId = await world.firmware();
    const answer = await world.post<ProblemBody>(`/v1/firmware/${firmwareId}/verifications`, { deviceNames });
    expect(answer).toMatchObject({ status: 422, body: { code: 'devices-invalid', devices: [{ deviceName }] } });
  });

  it('are listed newest first and filtered', async () => {
    const batchId = await world.batch();
    const list = async (query: string) =>
      (await world.get<{ items: Task[] }>(`/v1/tasks${query}`)).body.items.map(({ id }) => id);
    expect((await list(''))[0]).toBe(batchId);
    expect(await list('?kind=batch')).toEqual([batchId]);
    expect(await list('?status=running')).toEqual([batchId]);
    expect(await list('?status=cancelled')).toEqual([]);
    expect(await list('?firmwareId=nobody')).toEqual([]);
  });

  it('show their run in the Temporal UI and their failures by cause', async () => {
    const taskId = await world.batch();
    await world.fail(taskId, 'lamp-1', 'download-failed');
    await world.fail(taskId, 'lamp-2', 'download-failed');
    await world.fail(taskId, 'lamp-3', 'stalled');
    const { body } = await world.get(`/v1/tasks/${taskId}`);
    expect(body).toMatchObject({
      status: 'running',
      counts: { failed: 3, pending: 0 },
      failuresByCause: { 'download-failed': 2, stalled: 1 },
      workflow: { runId: 'run-1', url: `http://ui.test/namespaces/default/workflows/batch%2F${taskId}/run-1/history` },
    });
  });

  it('list their device updates with what each waits for', async () => {
    const taskId = await world.batch();
    await world.notify(taskId, 'lamp-1');
    await world.fail(taskId, 'lamp-2', 'extraction-failed', 'no space');
    const { body } = await world.get<{ items: Record<string, unknown>[] }>(`/v1/tasks/${taskId}/devices`);
    expect(body.items).toMatchObject([
      {
        deviceName: 'lamp-1',
        status: 'notified',
        outcome: null,
        step: null,
        attempt: 1,
        notifications: 1,
        waitingFor: { what: 'response', then: 'notified again' },
        workflow: { id: 'device-update/lamps/lamp-1', runId: 'run-2' },
      },
      {
        deviceName: 'lamp-2',
        status: 'completed',
        outcome: 'failed',
        cause: 'extraction-failed',
        detail: 'The device could not extract or flash the firmware. no space',
        waitingFor: null,
      },
      { deviceName: 'lamp-3', status: 'pending', waitingFor: { what: 'its-turn', until: null } },
    ]);
    const failedOnes = await world.get<{ items: object[] }>(`/v1/tasks/${taskId}/devices?outcome=failed`);
    expect(failedOnes.body.items).toMatchObject([{ deviceName: 'lamp-2' }]);
    const pages = await world.get<{ nextCursor: string | null }>(`/v1/tasks/${taskId}/devices?limit=1`);
    expect(pages.body.nextCursor).not.toBeNull();
  });

  it('are exported as CSV, in which nothing is a formula', async () => {
    const taskId = await world.batch();
    await world.fail(taskId, 'lamp-1', 'update-failed');
    await world.records.recordDeviceUpdate(
      taskId,
      { productKey: 'lamps', deviceName: 'lamp-2' },
      { ...(await deviceState(taskId, 'lamp-2')), detail: '=cmd|\' /C calc\'!A0,"x"\nline 2' },
      'run-2',
    );
    const response = await world.request(`/v1/tasks/${taskId}/devices.csv`);
    expect(response.headers.get('content-type')).toContain('text/csv');
    const rows = parse(await response.text(), { columns: true }) as unknown as Record<string, string>[];
    expect(rows.map(({ deviceName }) => deviceName)).toEqual(['lamp-1', 'lamp-2', 'lamp-3']);
    expect(rows[0]).toMatchObject({ outcome: 'failed', cause: 'update-failed', attempt: '1', runId: 'run-2' });
    expect(rows[0]).toMatchObject({ taskId, productKey: 'lamps', module: 'default', targetVersion: '2.0.0' });
    expect(rows[1]?.['detail']).toBe("'=cmd|' /C calc'!A0,\"x\"\nline 2");
    expect(await (await world.request(`/v1/tasks/${taskId}/devices.csv?outcome=failed`)).text()).not.toContain(
      'lamp-3',
    );
  });

  async function deviceState(taskId: string, deviceName: string) {
    const found = await world.records.getDeviceUpdate(taskId, deviceName);
    if (!found) throw new Error('no such device update');
    return found;
  }

  it('are exported whole, over many pages', async () => {
    const deviceNames = Array.from({ length: 1_200 }, (_, i) => `mass-${String(i).padStart(4, '0')}`);
    await world.post('/v1/products/lamps/devices', { devices: deviceNames.map((deviceName) => ({ deviceName })) });
    await Promise.all(deviceNames.map((deviceName) => world.runs(deviceName, '0.5')));
    const firmwareId = await world.verifiedFirmware();
    const { body } = await world.post<Task>(`/v1/firmware/${firmwareId}/batch-updates`, { sourceVersions: ['0.5'] });
    const text = await (await world.request(`/v1/tasks/${body.id}/devices.csv`)).text();
    expect(text.trimEnd().split('\n')).toHaveLength(1_201);
  });

  it('are re-initiated for their failed devices, all or chosen ones', async () => {
    const taskId = await world.batch();
    await world.fail(taskId, 'lamp-1', 'stalled');
    await world.fail(taskId, 'lamp-2', 'no-response');
    await world.succeed(taskId, 'lamp-3');
    const early = await world.post<ProblemBody>(`/v1/tasks/${taskId}/reinitiate`);
    expect(early).toMatchObject({ status: 409, body: { code: 'task-not-ended' } });

    await world.end(taskId);
    const chosen = await world.post<Task>(`/v1/tasks/${taskId}/reinitiate`, { deviceNames: ['lamp-2'] });
    expect(chosen).toMatchObject({ status: 202, body: { reinitiates: taskId, kind: 'batch', counts: { total: 1 } } });
    expect(world.delivered.at(-1)).toBe(chosen.body.id);
    const { body } = await world.get<{ items: object[] }>(`/v1/tasks/${chosen.body.id}/devices`);
    expect(body.items).toMatchObject([{ deviceName: 'lamp-2', attempt: 2 }]);

    const conflict = await world.post<ProblemBody>(`/v1/tasks/${taskId}/reinitiate`);
    expect(conflict).toMatchObject({ status: 409, body: { code: 'update-task-conflict' } });
    await world.end(chosen.body.id);
    const all = await world.post<Task>(`/v1/tasks/${taskId}/reinitiate`, {});
    expect(all).toMatchObject({ status: 202, body: { counts: { total: 2 } } });
  });

  it('are cancelled, and one device of them', async () => {
    const taskId = await world.batch();
    world.delivered.length = 0;
    const device = await world.post(`/v1/tasks/${taskId}/devices/lamp-1/cancel`);
    expect(device).toMatchObject({ status: 202, body: { deviceName: 'lamp-1' } });
    expect(device.body['cancelRequestedAt']).not.toBeNull();
    const task = await world.post(`/v1/tasks/${taskId}/cancel`);
    expect(task.status).toBe(202);
    expect(task.body['cancelRequestedAt']).not.toBeNull();
    expect(world.delivered).toEqual([taskId, taskId]);

    await world.records.taskEnded(taskId, 'cancelled', Date.now());
    expect(await world.post<ProblemBody>(`/v1/tasks/${taskId}/cancel`)).toMatchObject({
      status: 409,
      body: { code: 'task-not-open' },
    });
    expect(await world.post<ProblemBody>(`/v1/tasks/${taskId}/devices/lamp-1/cancel`)).toMatchObject({
      status: 409,
      body: { code: 'device-update-ended' },
    });
  });

  it('are ended early if they are verifications that have reached a device', async () => {
    const firmwareId = await world.firmware('3.0.0');
    const { body } = await world.post<Task>(`/v1/firmware/${firmwareId}/verifications`, { deviceNames: ['lamp-1'] });
    expect(await world.post<ProblemBody>(`/v1/tasks/${body.id}/end`)).toMatchObject({
      status: 409,
      body: { code: 'verification-reached-nobody' },
    });
    await world.notify(body.id, 'lamp-1');
    const ended = await world.post(`/v1/tasks/${body.id}/end`);
    expect(ended.status).toBe(202);
    expect(ended.body['endRequestedAt']).not.toBeNull();
    const batchId = await world.batch();
    expect(await world.post<ProblemBody>(`/v1/tasks/${batchId}/end`)).toMatchObject({
      status: 409,
      body: { code: 'not-a-verification' },
    });
  });

  it('are not found under another id', async () => {
    for (const path of ['', '/devices', '/devices.csv', '/events']) {
      expect(await world.get<ProblemBody>(`/v1/tasks/nobody${path}`)).toMatchObject({ status: 404 });
    }
    for (const path of ['/cancel', '/end', '/reinitiate', '/devices/lamp-1/cancel']) {
      expect(await world.post<ProblemBody>(`/v1/tasks/nobody${path}`)).toMatchObject({ status: 404 });
    }
    expect(
      await world.post<ProblemBody>('/v1/firmware/nobody/verifications', { deviceNames: ['lamp-1'] }),
    ).toMatchObject({ status: 404, body: { code: 'not-found' } });
  });
});
