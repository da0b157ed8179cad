import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { connect as connectMqtt, connectAsync, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createHttpServer, type HttpServer } from '../../api/http-server.js';
import { createDevCertificates, type DevCertificates } from '../../worker/dev-certificates.js';
import { openTls, type ReloadingTls } from '../../worker/tls.js';
import { Ground, light, PRODUCT, systemSubscribed, topicOf } from '../broker/ground.js';

let folder: string;
let made: DevCertificates;
let other: DevCertificates;
let ca: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ferry-tls-'));
  const devices = [`light-01&${PRODUCT}`, `light-02&${PRODUCT}`];
  made = await createDevCertificates(join(folder, 'made'), { hosts: ['localhost', '127.0.0.1'], devices });
  other = await createDevCertificates(join(folder, 'other'), { hosts: ['localhost', '127.0.0.1'], devices });
  ca = await readFile(made.ca, 'utf8');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const logged: string[] = [];
const log = {
  info: (_: unknown, text: string) => void logged.push(text),
  error: (_: unknown, text: string) => void logged.push(text),
};
let tls: ReloadingTls;
let current: { cert: string; key: string };
beforeEach(async () => {
  current = { cert: join(folder, 'current.pem'), key: join(folder, 'current.key') };
  await copyFile(made.cert, current.cert);
  await copyFile(made.key, current.key);
  tls = await openTls({ ...current, clientCa: made.ca }, log as never);
});
afterEach(() => tls.stop());

async function exchange(cert: string, key: string): Promise<void> {
  await copyFile(cert, current.cert);
  await copyFile(key, current.key);
}

/** The certificate that a port shows; rejects when the handshake fails. */
async function shown(port: number, options: ConnectionOptions = {}): Promise<string> {
  const socket: TLSSocket = tlsConnect({ port, host: '127.0.0.1', ca, ...options });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerCertificate().fingerprint256;
  } finally {
    socket.destroy();
  }
}

describe('MQTT over TLS', () => {
  let ground: Ground;
  const clients: MqttClient[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.endAsync(true);
    await ground.stop();
  });
  const start = async (clientCertificates: 'none' | 'optional' | 'required' = 'none') => {
    ground = await Ground.start({ tls: { port: 0, context: tls, clientCertificates } });
    return ground.broker.tlsPort ?? 0;
  };
  async function device(port: number, n: number, options: object = {}): Promise<MqttClient> {
    const client = await connectAsync(`mqtts://127.0.0.1:${port}`, {
      ...{ ...systemSubscribed(light(n)), reconnectPeriod: 0, ca, ...options },
    });
    clients.push(client);
    client.on('error', () => undefined);
    return client;
  }
  /** Whether the connection ends before the device is signed in. */
  async function isRefused(url: string, n: number, options: object = {}): Promise<boolean> {
    const client = connectMqtt(url, { ...systemSubscribed(light(n)), reconnectPeriod: 0, ca, ...options });
    clients.push(client);
    client.on('error', () => undefined);
    return Promise.race([
      new Promise<boolean>((resolve) => client.once('close', () => resolve(true))),
      new Promise<boolean>((resolve) => client.once('connect', () => resolve(false))),
    ]);
  }
  const withCertificate = async (from: DevCertificates, n: number) => {
    const found = from.devices[n - 1];
    return { cert: await readFile(found?.cert ?? ''), key: await readFile(found?.key ?? '') };
  };

  it('carries a device as plain TCP does, beside it', async () => {
    const port = await start();
    const client = await device(port, 1);
    await client.publishAsync(topicOf('inform', light(1)), '{"id":1,"params":{"version":"7.0.0"}}', { qos: 1 });
    expect((await ground.records.getDevice(light(1)))?.version).toBe('7.0.0');
    await ground.device(light(2));
  });

  it('speaks TLS 1.2 and 1.3, and nothing older', async () => {
    const port = await start();
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      expect(await shown(port, { minVersion: version, maxVersion: version })).toBeTruthy();
    }
    // A client old enough to want it, by its lowered security level.
    const old: ConnectionOptions = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
    await expect(shown(port, old)).rejects.toThrow(/protocol|alert/i);
  });

  it('is not confused by plain MQTT, rubbish, or a handshake that breaks off', async () => {
    const port = await start();
    expect(await isRefused(`mqtt://127.0.0.1:${port}`, 1)).toBe(true);
    const half = tlsConnect({ port, host: '127.0.0.1', ca });
    half.on('error', () => undefined);
    half.destroy();
    expect((await device(port, 1)).connected).toBe(true);
  });

  it('takes a device’s own certificate, and refuses that of another device, or of another authority', async () => {
    const port = await start('optional');
    await device(port, 1, await withCertificate(made, 1));
    await device(port, 2); // without one
    expect(await isRefused(`mqtts://127.0.0.1:${port}`, 1, await withCertificate(made, 2))).toBe(true);
    expect(await ground.irregularities('certificate-refused')).toBe(1);
    expect(await isRefused(`mqtts://127.0.0.1:${port}`, 1, await withCertificate(other, 1))).toBe(true);
  });

  it('asks every device for a certificate where that is required; its secret is needed all the same', async () => {
    const port = await start('required');
    expect(await isRefused(`mqtts://127.0.0.1:${port}`, 1)).toBe(true);
    await device(port, 1, await withCertificate(made, 1));
    const wrong = { ...systemSubscribed(light(1), 'wrong-secret'), ...(await withCertificate(made, 1)) };
    expect(await isRefused(`mqtts://127.0.0.1:${port}`, 1, wrong)).toBe(true);
  });

  it('shows a new certificate once it is there, without dropping who is connected', async () => {
    const port = await start();
    const client = await device(port, 1);
    const before = await shown(port);
    await exchange(other.cert, other.key);
    const otherCa = await readFile(other.ca, 'utf8');
    await vi.waitFor(async () => expect(await shown(port, { ca: otherCa })).not.toBe(before), { timeout: 10_000 });
    expect(client.connected).toBe(true);
    await client.publishAsync(topicOf('inform', light(1)), '{"id":1,"params":{"version":"8.0.0"}}', { qos: 1 });
  });

  it('keeps the certificate that it has when the new one is broken', async () => {
    const port = await start();
    const before = await shown(port);
    logged.length = 0;
    for (const break_ of [() => writeFile(current.cert, 'rubbish'), () => copyFile(other.cert, current.cert)]) {
      await break_();
      await tls.reload();
      expect(logged.at(-1)).toContain('broken');
      expect(await shown(port)).toBe(before);
    }
  });
});

describe('HTTPS', () => {
  let server: HttpServer;
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  it('is what the API speaks with a certificate, and a new one is shown without a restart', async () => {
    const api = { app: { fetch: () => new Response('hello') } };
    server = createHttpServer({ api: api as never, downloads: () => false, log: console as never, tls });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const text = await new Promise<string>((resolve, reject) => {
      httpsRequest({ port, host: '127.0.0.1', ca, agent: false }, (answer) => {
        answer.setEncoding('utf8').on('data', resolve);
      })
        .on('error', reject)
        .end();
    });
    expect(text).toBe('hello');
    const before = await shown(port);
    await exchange(other.cert, other.key);
    await tls.reload();
    expect(await shown(port, { ca: await readFile(other.ca, 'utf8') })).not.toBe(before);
  });
});

describe('A certificate that is wrong at the start', () => {
  it.each([
    ['missing', () => ({ cert: '/nonexistent', key: current.key })],
    ['of another key', () => ({ cert: other.cert, key: current.key })],
  ])('is refused, naming the variables: %s', async (_, files) => {
    await expect(openTls({ ...files(), clientCa: undefined }, log as never)).rejects.toThrow('FERRY_TLS_CERT');
  });
});
