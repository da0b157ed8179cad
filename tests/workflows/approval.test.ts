import { WorkflowUpdateFailedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Approval } from '../../domain/update-task.js';
import { decideUpdate } from '../../workflows/messages.js';
import { DAY_MS, startWorld, type World } from './world.js';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

const decision = (by: string, what: Approval['decision'] = 'approved'): Approval => ({
  decision: what,
  by,
  remark: '',
  atMs: 1,
});
/** As an operator and the outbox do it: the records first. */
async function decide(taskId: string, approval: Approval): Promise<void> {
  const { value: task } = await world.records.decideTask(taskId, approval);
  await world.taskRun(task).executeUpdate(decideUpdate, { args: [approval] });
}

describe('a batch that needs a second operator', () => {
  it('sends nothing before it is approved, and everything afterwards', async () => {
    await world.seed(['lamp-0', 'lamp-1']);
    const task = await world.batchForApproval('Ada');
    await world.untilTask(task, ({ status }) => status === 'awaiting-approval');
    expect(await world.records.listDeviceUpdates(task.id, { status: 'pending' }, { limit: 10 })).toMatchObject({
      items: [{ runId: null }, { runId: null }],
    });
    expect(world.devices.sentTo('lamp-0')).toEqual([]);
    await decide(task.id, decision('Bob'));
    for (const name of ['lamp-0', 'lamp-1']) {
      await world.until(task, name, ({ status }) => status === 'notified');
      await world.reportVersion(task, name, '2.0.0');
    }
    expect(await world.taskRun(task).result()).toEqual({ succeeded: 2, failed: 0, cancelled: 0 });
    expect(await world.records.getTask(task.id)).toMatchObject({ status: 'completed', approval: { by: 'Bob' } });
  });

  it('refuses its creator in its own run too, whatever the records say', async () => {
    await world.seed(['lamp-0']);
    const task = await world.batchForApproval('Ada');
    await world.untilTask(task, ({ status }) => status === 'awaiting-approval');
    const update = world.taskRun(task).executeUpdate(decideUpdate, { args: [decision('Ada')] });
    const error: unknown = await update.catch((e: unknown) => e);
    expect(error).toBeInstanceOf(WorkflowUpdateFailedError);
    expect(String((error as WorkflowUpdateFailedError).cause?.message)).toContain('second operator');
    // A refused update leaves no trace in the history.
    const { events } = await world.taskRun(task).fetchHistory();
    expect(events?.some((event) => event.workflowExecutionUpdateAcceptedEventAttributes)).toBe(false);
    await decide(task.id, decision('Bob', 'rejected'));
    await world.taskRun(task).result();
  });

  it('that is rejected ends, and its devices were never bothered', async () => {
    await world.seed(['lamp-0']);
    const task = await world.batchForApproval('Ada');
    await world.untilTask(task, ({ status }) => status === 'awaiting-approval');
    await decide(task.id, decision('Bob', 'rejected'));
    expect(await world.taskRun(task).result()).toMatchObject({ rejected: true });
    expect(await world.records.getTask(task.id)).toMatchObject({ status: 'rejected', counts: { cancelled: 1 } });
    expect(world.devices.sentTo('lamp-0')).toEqual([]);
  });

  it('can be cancelled while it waits', async () => {
    await world.seed(['lamp-0']);
    const task = await world.batchForApproval('Ada');
    await world.untilTask(task, ({ status }) => status === 'awaiting-approval');
    await world.taskRun(task).cancel();
    await world
      .taskRun(task)
      .result()
      .catch(() => undefined);
    expect(await world.records.getTask(task.id)).toMatchObject({ status: 'cancelled', counts: { cancelled: 1 } });
  });

  it('that nobody decides on for thirty days is rejected', async () => {
    await world.seed(['lamp-0']);
    const startedMs = await world.env.currentTimeMs();
    const task = await world.batchForApproval('Ada');
    expect(await world.taskRun(task).result()).toMatchObject({ rejected: true });
    const ended = await world.records.getTask(task.id);
    expect(ended).toMatchObject({ status: 'rejected' });
    expect((ended?.endedAtMs ?? 0) - startedMs).toBeGreaterThanOrEqual(30 * DAY_MS);
  });
});
