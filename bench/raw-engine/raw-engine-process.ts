import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { findTemporalCli } from '../../worker/temporal/cli-binary.js';
import { startEmbeddedServer } from '../../worker/temporal/embedded-server.js';
import { PROJECT_FOLDER } from '../../worker/paths.js';
import { CpuMeter } from '../lib/process.js';
import { bytesOf } from '../lib/service.js';

/* In a process of its own: worker and signaller, nothing else. */

const children = Number(process.argv[2]);
Runtime.install({ logger: new DefaultLogger('ERROR') });
const folder = await mkdtemp(join(tmpdir(), 'ferry-raw-'));
const server = await startEmbeddedServer({
  cli: await findTemporalCli({ env: process.env, onSlow: () => undefined }),
  database: join(folder, 'temporal.db'),
  log: join(folder, 'temporal.log'),
  processNote: join(folder, 'temporal.json'),
  ...{ port: 0, uiPort: 0, durability: 'process' },
});
const connected = async <T>(connect: () => Promise<T>): Promise<T> => {
  for (;;) {
    try {
      return await connect();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
};
const connection = await connected(() => Connection.connect({ address: server.address }));
const native = await connected(() => NativeConnection.connect({ address: server.address }));
const client = new Client({ connection });
await connected(() => client.workflowService.describeNamespace({ namespace: 'default' }));
const workflowsPath = join(PROJECT_FOLDER, 'bench', 'raw-engine', 'workflow.ts');
const workflowBundle = await bundleWorkflowCode({
  workflowsPath,
  preloadModules: [workflowsPath],
  logger: new DefaultLogger('ERROR'),
});
const worker = await Worker.create({
  connection: native,
  taskQueue: 'raw',
  workflowBundle,
  activities: {
    // As a device's report does: the signal comes from outside of the workflow.
    async begin(workflowId: string): Promise<void> {
      setImmediate(() => void client.workflow.getHandle(workflowId).signal('done'));
    },
  },
});
const running = worker.run();
const run = (count: number) =>
  client.workflow.execute('rawParent', { taskQueue: 'raw', workflowId: `raw-${count}`, args: [count] });
await run(20); // warm
const bytesBefore = bytesOf(join(folder, 'temporal.db'));
const meter = new CpuMeter({ worker: process.pid, temporal: server.pid });
const startedMs = performance.now();
await run(children);
const seconds = (performance.now() - startedMs) / 1_000;
const cpu = meter.read();
process.send?.({
  'devices/s': children / seconds,
  'CPU ms/device': (1_000 * (cpu.worker + cpu.temporal)) / children,
  'of the service': (1_000 * cpu.worker) / children,
  'of Temporal': (1_000 * cpu.temporal) / children,
  'engine bytes/device': (bytesOf(join(folder, 'temporal.db')) - bytesBefore) / children,
});
worker.shutdown();
await running;
await native.close();
await connection.close();
await server.stop();
await rm(folder, { recursive: true, force: true });
process.disconnect();
