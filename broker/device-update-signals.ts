import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { SignalDefinition } from '@temporalio/common';
import { deviceUpdateWorkflowId, type DeviceKey } from '../domain/ids.js';

/** The run of one device update: a later run of the same device is never meant. */
export interface DeviceUpdateRun extends DeviceKey {
  readonly runId: string | null;
}

/** How the gateway tells the runs of device updates what their devices reported. */
export interface DeviceUpdateSignals {
  /**
   * Resolves once the engine has stored the signal, or with `ended` if the run is over: a late report is normal.
   * Rejects when the engine can't be reached: then the report must not be acknowledged.
   */
  send<Message>(
    run: DeviceUpdateRun,
    signal: SignalDefinition<[Message]>,
    message: Message,
  ): Promise<'delivered' | 'ended'>;
}

/** A device waits for its acknowledgement meanwhile; it sends the report again when there is none. */
const DELIVERY_TIMEOUT_MS = 10_000;

/** Signals to Temporal. */
export function createDeviceUpdateSignals(
  client: Pick<Client, 'workflow' | 'withDeadline'>,
  timeoutMs: number = DELIVERY_TIMEOUT_MS,
): DeviceUpdateSignals {
  return {
    async send(run, signal, message) {
      const handle = client.workflow.getHandle(deviceUpdateWorkflowId(run), run.runId ?? undefined);
      try {
        await client.withDeadline(Date.now() + timeoutMs, () => handle.signal(signal, message));
        return 'delivered';
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return 'ended';
        throw error;
      }
    },
  };
}
