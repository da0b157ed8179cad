import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { createDeviceUpdateSignals } from '../../broker/device-update-signals.js';
import { onlineSignal } from '../../workflows/messages.js';

const run = { productKey: 'PK', deviceName: 'DN', runId: 'run-1' };
const message = { taskId: 'task-1', atMs: 5 };

/** A client that fails, or not, and says what it was asked. */
function clientThat(fails?: Error) {
  const asked: unknown[] = [];
  const client = {
    withDeadline: (deadline: number, call: () => Promise<unknown>) => {
      asked.push(deadline > Date.now());
      return call();
    },
    workflow: {
      getHandle: (workflowId: string, runId?: string) => ({
        signal: async (...signal: unknown[]) => {
          asked.push([workflowId, runId, ...signal]);
          if (fails) throw fails;
        },
      }),
    },
  };
  return { asked, signals: createDeviceUpdateSignals(client as unknown as Client) };
}

describe('signals to device updates', () => {
  it('go to the very run of the update, within a time limit', async () => {
    const { asked, signals } = clientThat();
    expect(await signals.send(run, onlineSignal, message)).toBe('delivered');
    expect(asked).toEqual([true, ['device-update/PK/DN', 'run-1', onlineSignal, message]]);
  });

  it('are dropped when the run is over', async () => {
    const { signals } = clientThat(new WorkflowNotFoundError('already completed', 'device-update/PK/DN', 'run-1'));
    expect(await signals.send(run, onlineSignal, message)).toBe('ended');
  });

  it('are refused when the engine is away', async () => {
    const { signals } = clientThat(new Error('14 UNAVAILABLE'));
    await expect(signals.send(run, onlineSignal, message)).rejects.toThrow('UNAVAILABLE');
  });
});
