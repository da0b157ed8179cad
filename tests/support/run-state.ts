import { Client, Connection } from '@temporalio/client';
import type { DeviceUpdateView } from '../../workflows/messages.js';

export async function withEngine<T>(address: string, ask: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await ask(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

/** Waits for what a device update's own run says of itself: of progress it hears a little later than the records. */
export const untilRun = (
  address: string,
  workflowId: string,
  wanted: (state: DeviceUpdateView) => boolean,
): Promise<void> =>
  withEngine(address, async (client) => {
    const run = client.workflow.getHandle(workflowId);
    while (!wanted(await run.query<DeviceUpdateView>('state'))) await new Promise((resolve) => setTimeout(resolve, 50));
  });
