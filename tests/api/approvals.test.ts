import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { World, type ProblemBody } from './world.js';

let world: World;
let ada: string;
let bob: string;
beforeEach(async () => {
  world = await World.open({ approvalAbove: 2 });
  await world.product();
  const token = async (name: string) =>
    (await world.post<{ token: string }>('/v1/tokens', { name, role: 'operator' })).body.token;
  [ada, bob] = [await token('Ada'), await token('Bob')];
});
afterEach(() => world.close());

interface Task {
  readonly id: string;
  readonly firmware: { readonly id: string };
  readonly status: string;
  readonly needsApproval: boolean;
  readonly approval: { readonly decision: string; readonly by: string; readonly remark: string } | null;
}
const as = <T = Task & ProblemBody>(token: string, path: string, json: unknown = {}) =>
  world.send<T>('POST', path, {
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(json),
  });
async function batch(deviceNames?: readonly string[]) {
  const firmwareId = await world.verifiedFirmware();
  return as(ada, `/v1/firmware/${firmwareId}/batch-updates`, { sourceVersions: ['1.0.0'], deviceNames });
}

describe('A batch of more devices than one operator may update alone', () => {
  it('waits for a second one', async () => {
    const { status, body } = await batch();
    expect({ status, needsApproval: body.needsApproval, approval: body.approval }).toEqual({
      ...{ status: 202, needsApproval: true, approval: null },
    });
    expect(await world.records.taskBegun(body.id, 'run', 1)).toMatchObject({ status: 'awaiting-approval' });
    const approved = await as(bob, `/v1/tasks/${body.id}/approve`, { remark: 'looked at the canary' });
    expect(approved).toMatchObject({
      status: 202,
      body: { approval: { decision: 'approved', by: 'Bob', remark: 'looked at the canary' } },
    });
    expect(await world.records.undeliveredTask(body.id)).toMatchObject({ approval: { by: 'Bob' } });
    expect(await world.records.taskBegun(body.id, 'run', 1)).toMatchObject({ status: 'running' });
  });

  it('can’t be approved by who has created it, nor be decided twice', async () => {
    const { body } = await batch();
    const own = await as(ada, `/v1/tasks/${body.id}/approve`);
    expect(own).toMatchObject({ status: 403, body: { code: 'second-operator-required' } });
    expect((await as(bob, `/v1/tasks/${body.id}/reject`, { remark: 'not on a Friday' })).status).toBe(202);
    expect((await as(bob, `/v1/tasks/${body.id}/reject`)).body.approval).toMatchObject({ remark: 'not on a Friday' });
    const again = await as(bob, `/v1/tasks/${body.id}/approve`);
    expect(again).toMatchObject({ status: 409, body: { code: 'task-not-awaiting-approval' } });
  });

  it('can’t be approved any more once its cancellation is asked for', async () => {
    const { body } = await batch();
    expect((await as(ada, `/v1/tasks/${body.id}/cancel`)).status).toBe(202);
    expect(await as(bob, `/v1/tasks/${body.id}/approve`)).toMatchObject({
      status: 409,
      body: { code: 'task-not-awaiting-approval', detail: expect.stringContaining('being cancelled') as unknown },
    });
  });

  it('ends as rejected, and gives its versions free', async () => {
    const { body } = await batch();
    await as(bob, `/v1/tasks/${body.id}/reject`);
    expect(await world.records.taskEnded(body.id, 'rejected', 5)).toMatchObject({
      status: 'rejected',
      counts: { cancelled: 3 },
    });
    const again = await as(ada, `/v1/firmware/${body.firmware.id}/batch-updates`, { sourceVersions: ['1.0.0'] });
    expect(again.status).toBe(202);
  });

  it('that is re-initiated waits for a second one too', async () => {
    const { body } = await batch();
    for (const name of ['lamp-1', 'lamp-2', 'lamp-3']) await world.fail(body.id, name, 'update-failed');
    await world.end(body.id);
    const again = await as(ada, `/v1/tasks/${body.id}/reinitiate`);
    expect(again).toMatchObject({ status: 202, body: { needsApproval: true } });
  });
});

describe('A smaller batch', () => {
  it('waits for nobody, and there is nothing to approve', async () => {
    const { body } = await batch(['lamp-1', 'lamp-2']);
    expect(body.needsApproval).toBe(false);
    expect((await as(bob, `/v1/tasks/${body.id}/approve`)).body.code).toBe('task-not-awaiting-approval');
  });
});
