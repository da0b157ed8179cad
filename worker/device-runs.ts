import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { DeviceRuns } from '../activities/device-runs.js';
import { SEARCH_ATTRIBUTES } from '../domain/ids.js';
import { Turns } from '../domain/turns.js';

/** Requests under way at once: the engine goes on with other work beside them. */
const AT_ONCE_MAX = 40;
const REASON = 'An operator stopped the task before the device was told of the update.';
const TASK_ID = defineSearchAttributeKey(SEARCH_ATTRIBUTES.taskId, 'KEYWORD');

/** The engine's side of device updates' runs. */
export function createDeviceRuns(client: Pick<Client, 'workflow'>): DeviceRuns {
  const turns = new Turns(AT_ONCE_MAX);
  return {
    terminate: (workflowId, runId) =>
      turns.run(async () => {
        await unlessGone(client.workflow.getHandle(workflowId, runId).terminate(REASON));
      }),
    holder: (workflowId) =>
      turns.run(async () => {
        const run = await unlessGone(client.workflow.getHandle(workflowId).describe());
        if (run?.status.name !== 'RUNNING') return undefined;
        return { taskId: run.typedSearchAttributes.get(TASK_ID) ?? '' };
      }),
  };
}

async function unlessGone<T>(asking: Promise<T>): Promise<T | undefined> {
  try {
    return await asking;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
