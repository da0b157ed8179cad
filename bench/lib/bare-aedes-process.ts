import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { Aedes } from 'aedes';
import { startRawEngine } from '../raw-engine/raw-engine.js';

/* A broker that lets everybody do everything and keeps nothing; alone, or beside a Temporal worker that does nothing. */

export interface Publication {
  readonly topics: readonly string[];
  readonly payload: string;
}

const engine = process.argv.includes('beside-worker') ? await startRawEngine() : undefined;
const aedes = await Aedes.createBroker();
const server = createServer(aedes.handle);
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));

/** The same message to each topic, quality 1, as fast as it takes them. */
process.on('message', ({ topics, payload }: Publication) => {
  const bytes = Buffer.from(payload);
  for (const topic of topics) {
    aedes.publish({ cmd: 'publish', topic, payload: bytes, qos: 1, dup: false, retain: false }, () => undefined);
  }
});

await once(process, 'disconnect');
await engine?.stop();
process.exit();
