import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Roster } from '../../cli/simulator/roster.js';
import { Ferry } from '../e2e/ferry.js';
import { Terminal } from './terminal.js';

let service: Ferry;
let state: string;
let token: string;

beforeAll(async () => {
  service = await Ferry.start();
  state = await mkdtemp(join(tmpdir(), 'ferry-simulate-'));
  token = (await readFile(join(service.folder, 'admin-token'), 'utf8')).trim();
  await service.post('/v1/products', { productKey: 'lamps', name: 'Lamp' });
});
afterAll(async () => {
  await service.stop();
  await rm(state, { recursive: true, force: true });
});

const env = () => ({ FERRY_URL: service.url, FERRY_TOKEN: token, FERRY_MQTT_URL: service.mqttUrl });
/** Of a process that has done something; in a test it is the test's own. */
const usage = { cpuSeconds: expect.any(Number) as number, residentMb: expect.any(Number) as number };
const words = (line: string) => [...line.split(' '), '--state', state];
const roster = async (): Promise<Roster> => {
  const [file = ''] = await readdir(state);
  expect((await stat(join(state, file))).mode & 0o777).toBe(0o600);
  return JSON.parse(await readFile(join(state, file), 'utf8')) as Roster;
};

describe('ferry simulate', () => {
  it('registers devices, updates them over the real service, and remembers them for the next run', async () => {
    const terminal = new Terminal(env());
    const simulating = terminal.run(
      words('simulate --devices 3 --product lamps --behaviour ok --step-delay 10ms --json'),
    );
    await terminal.shows('"kind":"informed","version":"1.0.0"', 3);
    const { body: firmware } = await service.addFirmware('lamps', 'lamp', '2.0.0');
    await new Terminal(env()).run(['verify', 'lamp@2.0.0', '--devices', 'sim-00001', '--watch']);
    expect((await service.get<{ status: string }>(`/v1/firmware/${firmware.id}`)).body.status).toBe('verified');
    terminal.interrupt();
    const { exitCode, out, err } = await simulating;
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' });
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { deviceName: string; kind: string });
    expect(lines.at(-1)).toEqual({ kind: 'simulator', ...usage });
    const kinds = lines.filter(({ deviceName }) => deviceName === 'sim-00001').map(({ kind }) => kind);
    expect(kinds).toEqual(expect.arrayContaining(['connected', 'informed', 'notified', 'downloaded', 'succeeded']));
    expect((await roster())['sim-00001']?.version).toBe('2.0.0');

    const secrets = await roster();
    const again = new Terminal(env());
    const second = again.run(words('simulate --devices 4 --product lamps --behaviour ok'));
    await again.shows('online 4 of 4 · updating 0');
    again.interrupt();
    expect((await second).out).toMatch(/Ended: online \d of 4 · updating 0 · simulator \d+\.\d s CPU, \d+ MB\n$/);
    const { body } = await service.get<{ items: { deviceName: string; version: string }[] }>(
      '/v1/products/lamps/devices',
    );
    expect(body.items.map(({ version }) => version)).toEqual(['2.0.0', '1.0.0', '1.0.0', '1.0.0']);
    expect(await roster()).toMatchObject(secrets);
  });

  it('says what to do about devices whose secrets it does not know', async () => {
    await service.post('/v1/products/lamps/devices', { deviceName: 'other-00001' });
    const { exitCode, err } = await new Terminal(env()).run(
      words('simulate --devices 2 --product lamps --prefix other-'),
    );
    expect(exitCode).toBe(1);
    expect(err).toMatch(/1 of the devices are registered already.*other-00001.*--prefix.*--state/);
  });

  it('says that there is no such product', async () => {
    const { exitCode, err } = await new Terminal(env()).run(words('simulate --devices 2 --product nothing'));
    expect(exitCode).toBe(1);
    expect(err).toContain('[not-found]');
  });

  it('counts devices, not tries, while the broker can not be reached, and names its address and the cause', async () => {
    const terminal = new Terminal(env());
    const simulating = terminal.run(words('simulate --devices 2 --product lamps --mqtt mqtt://me:secret@127.0.0.1:1'));
    await terminal.shows('unreachable 2 · mqtt://127.0.0.1:1: ');
    terminal.interrupt();
    const { out } = await simulating;
    expect(out).toContain('ECONNREFUSED');
    expect(out).not.toContain('secret');
    expect(out).not.toMatch(/unreachable ([3-9]|\d\d)/);
  });
});
