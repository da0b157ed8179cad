import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { TerminatedByEngine } from '../../activities/activities.js';

const LAST_EVENT = proto.temporal.api.enums.v1.HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT;
/** Whom a history names when Temporal has terminated its run: at a limit of the server. */
const ENGINE = 'history-service';

/** Asks the engine why it has terminated a run itself. */
export function createTerminatedByEngine(client: Pick<Client, 'workflowService' | 'options'>): TerminatedByEngine {
  return async (workflowId, runId) => {
    try {
      const { history } = await client.workflowService.getWorkflowExecutionHistory({
        namespace: client.options.namespace,
        execution: { workflowId, runId },
        historyEventFilterType: LAST_EVENT,
      });
      const end = history?.events?.at(-1)?.workflowExecutionTerminatedEventAttributes;
      return end?.identity === ENGINE ? (end.reason ?? '') : undefined;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError || (error as { code?: number }).code === NOT_FOUND) return undefined;
      throw error;
    }
  };
}

/** Status code of gRPC. */
const NOT_FOUND = 5;
