import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { FerryError } from '../../domain/errors.js';

const TIMEOUT_MS = 30_000;

/**
 * A run's history in Temporal's JSON.
 *
 * @param runId the newest run if undefined
 * @throws FerryError `not-found`, `workflow-engine-away`
 */
export async function readHistory(client: Client, workflowId: string, runId: string | undefined): Promise<string> {
  try {
    const handle = client.workflow.getHandle(workflowId, runId);
    return historyToJSON(await client.withDeadline(Date.now() + TIMEOUT_MS, () => handle.fetchHistory()));
  } catch (error) {
    if (error instanceof WorkflowNotFoundError || grpcCode(error) === NOT_FOUND) {
      const run = runId === undefined ? '' : ` with the run ${runId}`;
      throw new FerryError(
        'not-found',
        `Temporal has no history of ${workflowId}${run}: it never began, or is older than the retention (FERRY_RETENTION_DAYS).`,
      );
    }
    if (grpcCode(error) === INVALID_ARGUMENT) {
      throw new FerryError('invalid-request', 'Temporal does not take that workflow id or run id.');
    }
    if (![DEADLINE_EXCEEDED, UNAVAILABLE].includes(grpcCode(error))) throw error;
    throw new FerryError('workflow-engine-away', 'The workflow engine does not answer; try again in a moment.');
  }
}

/** Status codes of gRPC. */
const [INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, UNAVAILABLE] = [3, 4, 5, 14];

/** The client passes some errors on as they are, and wraps others. */
const grpcCode = (error: unknown): number => {
  const { code, cause } = error as { code?: number; cause?: { code?: number } };
  return code ?? cause?.code ?? 0;
};
