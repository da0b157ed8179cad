import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endSignal } from '../../workflows/messages.js';
import { startRealTimeWorld, type World } from './world.js';

let world: World;
beforeAll(async () => {
  world = await startRealTimeWorld();
});
afterAll(() => world.stop());

const names = Array.from({ length: 40 }, (_, i) => `lamp-${i}`);

describe('a task that ends while its runs are being started', () => {
  it('loses no cancellation: every device update is cancelled', async () => {
    await world.seed(names);
    const task = await world.verify(names);
    await world.taskRun(task).signal(endSignal);
    await world.taskRun(task).result();
    expect(await world.records.getTask(task.id)).toMatchObject({ counts: { cancelled: names.length } });
    // Seldom is a request lost that comes before its run: so none may.
    const started = new Set<string>();
    const early: string[] = [];
    for (const event of (await world.taskRun(task).fetchHistory()).events ?? []) {
      const start = event.childWorkflowExecutionStartedEventAttributes;
      const cancel = event.requestCancelExternalWorkflowExecutionInitiatedEventAttributes;
      if (start) started.add(start.workflowExecution?.workflowId ?? '');
      const cancelled = cancel?.workflowExecution?.workflowId;
      if (cancelled && !started.has(cancelled)) early.push(cancelled);
    }
    expect(early).toEqual([]);
  });
});
