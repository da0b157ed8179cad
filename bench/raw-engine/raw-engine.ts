import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { findTemporalCli } from '../../worker/temporal/cli-binary.js';
import { connectTemporal, type TemporalConnections } from '../../worker/temporal/connection.js';
import { startEmbeddedServer } from '../../worker/temporal/embedded-server.js';
import { bytesOf } from '../lib/service.js';

/** Built ahead, as the service's: bundling would leave its own memory behind. */
const BUNDLE = join(import.meta.dirname, 'raw-workflow-bundle.js');
const TASK_QUEUE = 'raw';

/** A Temporal of its own, with Ferry's settings, and a worker in this process: nothing else. */
export interface RawEngine {
  readonly serverPid: number;
  /** Runs a parent with so many children to its end. */
  run(children: number): Promise<void>;
  databaseBytes(): number;
  stop(): Promise<void>;
}

export async function startRawEngine(): Promise<RawEngine> {
  // No signal ends it: SIGUSR2, one of the SDK's own, asks for a look at the memory here.
  Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
  const folder = await mkdtemp(join(tmpdir(), 'ferry-raw-'));
  const database = join(folder, 'temporal.db');
  const server = await startEmbeddedServer({
    cli: await findTemporalCli({ env: process.env, onSlow: () => undefined }),
    database,
    log: join(folder, 'temporal.log'),
    processNote: join(folder, 'temporal.json'),
    ...{ port: 0, uiPort: 0, durability: 'process' },
  });
  const temporal = await connectTemporal({ options: { address: server.address }, namespace: 'default' }, server.exited);
  const { client, native } = temporal;
  await untilNamespaceIsThere(client);
  const worker = await Worker.create({
    connection: native,
    taskQueue: TASK_QUEUE,
    workflowBundle: { codePath: BUNDLE },
    activities: {
      // As a device's report does: the signal comes from outside of the workflow.
      async begin(workflowId: string): Promise<void> {
        setImmediate(() => void client.workflow.getHandle(workflowId).signal('done'));
      },
    },
  });
  const running = worker.run();
  return {
    serverPid: server.pid,
    async run(children) {
      const workflowId = `raw-${children}`;
      await client.workflow.execute('rawParent', { taskQueue: TASK_QUEUE, workflowId, args: [children] });
    },
    databaseBytes: () => bytesOf(database),
    async stop() {
      worker.shutdown();
      await running;
      await temporal.close();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The server answers before it is ready. */
async function untilNamespaceIsThere({ workflowService }: TemporalConnections['client']): Promise<void> {
  for (;;) {
    try {
      await workflowService.describeNamespace({ namespace: 'default' });
      return;
    } catch {
      await sleep(100);
    }
  }
}
