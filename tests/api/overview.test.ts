import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OverviewAnswer } from '../../api/schemas.js';
import { timelineOf } from '../../api/timeline.js';
import { PRODUCT, World, type ProblemBody } from './world.js';

describe('The overview', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.open();
    await world.product();
  });
  afterEach(() => world.close());

  it('shows devices, versions, open tasks, what waits for a person, and failures by cause', async () => {
    const taskId = await world.batch();
    const unverified = await world.firmware('9.0.0');
    await world.fail(taskId, 'lamp-1', 'stalled');
    const { status, body } = await world.get('/v1/overview');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      devices: { total: 3, online: 0, offline: 3 },
      products: [{ productKey: PRODUCT, devices: { total: 3 }, versions: [{ version: '1.0.0', devices: 3 }] }],
      openTasks: [{ id: taskId, startedBy: 'admin' }],
      attention: { firmwareToValidate: [{ id: unverified }], tasksToReinitiate: [], tasksToApprove: [] },
      failures: { byCause: [{ cause: 'stalled', count: 1 }], latest: [{ deviceName: 'lamp-1', taskId }] },
    });
    await world.end(taskId);
    const later = await world.get('/v1/overview');
    expect(later.body).toMatchObject({ openTasks: [], attention: { tasksToReinitiate: [{ id: taskId }] } });
  });

  it('shows the batches that wait for a second operator, until one has decided', async () => {
    const strict = await World.open({ approvalAbove: 2 });
    await strict.product();
    const firmwareId = await strict.verifiedFirmware();
    const { body: batch } = await strict.post<{ id: string }>(`/v1/firmware/${firmwareId}/batch-updates`, {
      sourceVersions: ['1.0.0'],
    });
    const ada = (await strict.post<{ token: string }>('/v1/tokens', { name: 'Ada', role: 'operator' })).body.token;
    const headers = { authorization: `Bearer ${ada}`, 'content-type': 'application/json' };
    const toApprove = async () =>
      (await strict.send<OverviewAnswer>('GET', '/v1/overview', { headers })).body.attention.tasksToApprove;
    // The engine may not have heard of it yet.
    expect(await toApprove()).toMatchObject([{ id: batch.id, status: 'pending' }]);
    await strict.records.taskBegun(batch.id, 'run', 1);
    expect(await toApprove()).toMatchObject([{ id: batch.id, status: 'awaiting-approval', startedBy: 'admin' }]);
    const approved = await strict.send('POST', `/v1/tasks/${batch.id}/approve`, { headers, body: '{}' });
    expect(approved.status).toBe(202);
    expect(await toApprove()).toEqual([]);
    await strict.close();
  });

  it('shows the versions of a product with the batch that updates each', async () => {
    const taskId = await world.batch();
    const { body } = await world.get(`/v1/products/${PRODUCT}/versions`);
    expect(body).toEqual({
      items: [
        {
          ...{ version: '1.0.0', devices: 3 },
          claimedBy: {
            taskId,
            firmware: expect.objectContaining({ version: '2.0.0' }) as unknown,
            sourceVersions: ['1.0.0'],
          },
        },
      ],
      nextCursor: null,
    });
    expect(await world.get('/v1/products/nothing/versions')).toMatchObject({ status: 404 });
  });

  it('previews a batch with its conflict and its refusal', async () => {
    const taskId = await world.batch();
    const firmwareId = await world.firmware('3.0.0');
    const path = `/v1/firmware/${firmwareId}/batch-updates/preview`;
    expect(await world.post(path, { sourceVersions: ['1.0.0'] })).toMatchObject({
      status: 200,
      body: { devices: 3, conflicts: [{ taskId }], refusal: { code: 'firmware-not-verified', status: 409 } },
    });
    expect(await world.post<ProblemBody>(path, { sourceVersions: [] })).toMatchObject({ status: 400 });
  });

  it('shows what ended over the time of a task', async () => {
    const taskId = await world.batch();
    await world.succeed(taskId, 'lamp-1');
    await world.fail(taskId, 'lamp-2', 'stalled');
    const { body } = await world.get<{ points: { succeeded: number; failed: number }[]; spanMs: number }>(
      `/v1/tasks/${taskId}/timeline?points=10`,
    );
    expect(body.points.length).toBeLessThanOrEqual(10);
    expect(body.points.reduce((sum, point) => sum + point.succeeded, 0)).toBe(1);
    expect(body.points.reduce((sum, point) => sum + point.failed, 0)).toBe(1);
  });

  it('filters failures by cause', async () => {
    const taskId = await world.batch();
    await world.fail(taskId, 'lamp-1', 'stalled');
    await world.fail(taskId, 'lamp-2', 'no-response');
    const { body } = await world.get(`/v1/tasks/${taskId}/devices?cause=stalled`);
    expect(body).toMatchObject({ items: [{ deviceName: 'lamp-1' }], nextCursor: null });
    expect(await world.get(`/v1/tasks/${taskId}/devices?cause=bad-luck`)).toMatchObject({ status: 400 });
  });
});

describe('A timeline', () => {
  const DAY_MS = 86_400_000;
  it.each([0, 1, 999, 61_000, 3_600_000, DAY_MS, 7 * DAY_MS, 400 * DAY_MS])(
    'of a task of %d ms holds both its ends in at most 60 spans',
    (lengthMs) => {
      const startedAtMs = 1_700_000_123_456;
      const endedAtMs = startedAtMs + lengthMs;
      const { fromMs, spanMs, spans } = timelineOf(
        { createdAtMs: 0, startedAtMs, endedAtMs },
        { points: 60, nowMs: endedAtMs },
      );
      expect(spans).toBeLessThanOrEqual(60);
      expect(fromMs).toBeLessThanOrEqual(startedAtMs);
      expect(fromMs + spans * spanMs).toBeGreaterThan(endedAtMs);
    },
  );
});
