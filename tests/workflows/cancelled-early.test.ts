import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endSignal } from '../../workflows/messages.js';
import { startRealTimeWorld, type World } from './world.js';

let world: World;
beforeAll(async () => {
  world = await startRealTimeWorld();
});
afterAll(() => world.stop());

const names = Array.from({ length: 40 }, (_, i) => `lamp-${i}`);

/** Requests to cancel that were sent before their run had started: seldom is one lost, so there may be none. */
async function earlyCancels(workflowId: string): Promise<string[]> {
  const started = new Set<string>();
  const early: string[] = [];
  for (const event of (await world.env.client.workflow.getHandle(workflowId).fetchHistory()).events ?? []) {
    const start = event.childWorkflowExecutionStartedEventAttributes?.workflowExecution;
    const cancel = event.requestCancelExternalWorkflowExecutionInitiatedEventAttributes?.workflowExecution;
    if (start) started.add(start.workflowId ?? '');
    if (cancel && !started.has(cancel.workflowId ?? '')) early.push(cancel.workflowId ?? '');
  }
  return early;
}

describe('a task that ends while its runs are being started', () => {
  it('loses no cancellation: every device update is cancelled', async () => {
    await world.seed(names);
    const task = await world.verify(names);
    await world.taskRun(task).signal(endSignal);
    await world.taskRun(task).result();
    expect(await world.records.getTask(task.id)).toMatchObject({ counts: { cancelled: names.length } });
    expect(await earlyCancels(task.workflowId)).toEqual([]);
  });

  it('loses none for a shard either', async () => {
    await world.seed(names);
    const task = await world.batch({}, 20);
    await world.taskRun(task).cancel();
    await expect(world.taskRun(task).result()).rejects.toThrow();
    expect(await world.records.getTask(task.id)).toMatchObject({
      status: 'cancelled',
      counts: { cancelled: names.length },
    });
    expect(await earlyCancels(task.workflowId)).toEqual([]);
  });
});
