import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect, type SecureContextOptions } from 'node:tls';
import { generate, type Packet } from 'mqtt-packet';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { BrokerLimits } from '../../broker/limits.js';
import { createDevCertificates } from '../../worker/dev-certificates.js';
import { Ground, light, systemSubscribed, unhandledRejections } from './ground.js';

let folder: string;
let options: SecureContextOptions;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ferry-broker-tls-'));
  const made = await createDevCertificates(folder, { hosts: ['127.0.0.1'] });
  options = { cert: await readFile(made.cert), key: await readFile(made.key) };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let ground: Ground;
afterEach(() => ground.stop());
const start = async (limits?: Partial<BrokerLimits>) => {
  const context = { options, onExchange: () => () => undefined };
  ground = await Ground.start({ limits, tls: { port: 0, context, clientCertificates: 'none' } });
};

const connectPacket = (secret?: string): Buffer =>
  generate({
    ...systemSubscribed(light(1), secret),
    ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 60 },
  } as unknown as Packet);

const port = () => ground.broker.tlsPort ?? 0;
/** With the handshake done: what is written goes into one record. */
const open = (): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = tlsConnect({ port: port(), host: '127.0.0.1', rejectUnauthorized: false });
    socket.once('secureConnect', () => resolve(socket));
    socket.on('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.resume();
    socket.once('close', () => resolve());
  });

describe('a stranger over TLS', () => {
  it.each(['another-secret', undefined])(
    'ends its own connection only: too large a packet right after a CONNECT',
    async (secret) => {
      await start();
      const unhandled = unhandledRejections();
      const socket = await open();
      const ended = closed(socket);
      socket.write(Buffer.concat([connectPacket(secret), Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f])]));
      await ended;
      await ground.device(light(2));
      expect(unhandled()).toEqual([]);
      expect(await ground.irregularities('packet-too-large')).toBe(1);
    },
  );
});

describe('a TLS handshake in progress', () => {
  it('is a connection: one more than allowed is closed at once', async () => {
    await start({ connectionsMax: 1 });
    const silent = connect(port(), '127.0.0.1');
    await new Promise((resolve) => silent.once('connect', resolve));
    await closed(connect(port(), '127.0.0.1').on('error', () => undefined));
    expect(await ground.irregularities('too-many-connections')).toBe(1);
    silent.destroy();
  });

  it('and what comes of it are one connection, which makes room when it ends', async () => {
    await start({ connectionsMax: 1 });
    for (let n = 0; n < 3; n++) {
      const device = await retried(open);
      const ended = closed(device);
      device.end(connectPacket());
      await ended;
    }
  });
});

/** The broker sees an end a moment after the client does. */
async function retried<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
