import { WorkflowNotFoundError, type Client, type WorkflowExecutionDescription } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../domain/ids.js';
import type { DeviceUpdateRecord } from '../records/records.js';

/** A device update as the engine knows it: its run, and the later runs under which that goes on. */
export type RecordedRun = Pick<DeviceUpdateRecord, 'taskId' | 'workflowId' | 'runId'>;

/**
 * Cancels the run of a device update, whichever of its runs is open. A device's next update, under the same workflow id,
 * is left alone.
 *
 * @returns false if the engine knows no run of it
 */
export async function cancelDeviceRun(client: Pick<Client, 'workflow'>, run: RecordedRun): Promise<boolean> {
  const known = await describeDeviceRun(client, run);
  if (!known) return false;
  // A request that names a run which goes on under a new one is lost; one that names the first of them is not.
  const firstExecutionRunId = known.raw.workflowExecutionInfo?.firstRunId || known.runId;
  try {
    await client.workflow.getHandle(run.workflowId, undefined, { firstExecutionRunId }).cancel();
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  return true;
}

/** The latest run of a device update that the engine knows; undefined if there is none. */
export async function describeDeviceRun(
  client: Pick<Client, 'workflow'>,
  { taskId, workflowId, runId }: RecordedRun,
): Promise<WorkflowExecutionDescription | undefined> {
  const recorded = runId === null ? undefined : await describe(client, workflowId, runId);
  if (recorded && recorded.status.name !== 'CONTINUED_AS_NEW') return recorded;
  const newest = await describe(client, workflowId, undefined);
  return newest && taskOf(newest) === taskId ? newest : recorded;
}

function taskOf(run: WorkflowExecutionDescription): string {
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- typed ones need a key; this reads it by its name
  return String(run.searchAttributes[SEARCH_ATTRIBUTES.taskId]?.[0] ?? '');
}

async function describe(client: Pick<Client, 'workflow'>, workflowId: string, runId: string | undefined) {
  try {
    return await client.workflow.getHandle(workflowId, runId).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
