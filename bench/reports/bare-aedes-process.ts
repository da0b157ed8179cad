import { createServer, type AddressInfo } from 'node:net';
import { Aedes } from 'aedes';

/* A broker that lets everybody do everything and keeps nothing. */

const aedes = await Aedes.createBroker();
const server = createServer(aedes.handle);
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
