import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { SignalDefinition } from '@temporalio/common';
import { deviceUpdateWorkflowId, type DeviceKey } from '../domain/ids.js';

/** The run of one device update, as far as it is known. */
export interface DeviceUpdateRun extends DeviceKey {
  readonly runId: string | null;
}

/** How the gateway tells the runs of device updates what their devices reported. */
export interface DeviceUpdateSignals {
  /**
   * Resolves once the engine has stored the signal, or with `ended` if the run is over: a late report is normal.
   * Rejects when the engine can't be reached: then the run has to be told again.
   */
  send<Message>(
    run: DeviceUpdateRun,
    signal: SignalDefinition<[Message]>,
    message: Message,
  ): Promise<'delivered' | 'ended'>;
}

/** Nothing waits for it but what is told next. */
const DELIVERY_TIMEOUT_MS = 10_000;

/** gRPC's codes of an engine that does not answer, or takes nothing now. */
const AWAY_CODES: readonly unknown[] = [1, 4, 8, 14]; // CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNAVAILABLE

/** Whether nobody can be told at present, rather than this run never. */
export function isEngineAway(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && AWAY_CODES.includes(cause.code)) return true;
  }
  return false;
}

/** Signals to Temporal. */
export function createDeviceUpdateSignals(
  client: Pick<Client, 'workflow' | 'withDeadline'>,
  timeoutMs: number = DELIVERY_TIMEOUT_MS,
): DeviceUpdateSignals {
  return {
    async send(run, signal, message) {
      const tell = async (runId: string | undefined) => {
        const handle = client.workflow.getHandle(deviceUpdateWorkflowId(run), runId);
        try {
          await client.withDeadline(Date.now() + timeoutMs, () => handle.signal(signal, message));
          return 'delivered';
        } catch (error) {
          if (error instanceof WorkflowNotFoundError) return 'ended';
          throw error;
        }
      };
      const answer = await tell(run.runId ?? undefined);
      // The update may go on in another run than the recorded one: it was reset, or continued as a new one. A message
      // names its task, so that a run of the device's next update leaves it alone.
      return answer === 'ended' && run.runId !== null ? tell(undefined) : answer;
    },
  };
}
