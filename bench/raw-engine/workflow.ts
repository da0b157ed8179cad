import {
  condition,
  defineSignal,
  proxyLocalActivities,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';

/* The least that any engine of device updates on Temporal has to do: what Ferry is measured against. */

const { begin } = proxyLocalActivities<{ begin(workflowId: string): Promise<void> }>({
  startToCloseTimeout: '10 seconds',
});
const doneSignal = defineSignal('done');
const UNCONFIRMED_STARTS_MAX = 40;

export async function rawParent(children: number): Promise<number> {
  const ends: Promise<void>[] = [];
  const remaining = Array.from({ length: children }, (_, n) => n).values();
  const starter = async () => {
    for (const n of remaining) {
      const child = await startChild(rawChild, { workflowId: `${workflowInfo().workflowId}/${n}` });
      ends.push(child.result());
    }
  };
  await Promise.all(Array.from({ length: UNCONFIRMED_STARTS_MAX }, starter));
  await Promise.all(ends);
  return children;
}

export async function rawChild(): Promise<void> {
  let isDone = false;
  setHandler(doneSignal, () => void (isDone = true));
  await begin(workflowInfo().workflowId);
  await condition(() => isDone, '1 hour');
}
