// What Ferry takes of a machine: `npm run bench:footprint`. Resident memory of the service and of its Temporal, idle,
// with 1,000 connected simulated devices, and while large files go in and out. Figures, no assertions.
import { spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';

const ROOT = join(import.meta.dirname, '..');
const TOKEN = 'footprint-footprint';
const DEVICES = 1_000;
const FILE_BYTES = 10 * 1024 * 1024;
const UPLOADS = 20;
const DOWNLOADS = 200;

const folder = await mkdtemp(join(tmpdir(), 'ferry-footprint-'));
const children = [];
const ferry = (args, env = {}) => {
  const child = spawn(process.execPath, [join(ROOT, 'bin', 'ferry.mjs'), ...args], {
    env: { ...process.env, FERRY_TOKEN: TOKEN, FERRY_ADMIN_TOKEN: TOKEN, FERRY_DATA_DIR: join(folder, 'data'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stderr.pipe(process.stderr);
  children.push(child);
  return child;
};
const until = async (child, pattern) => {
  let text = '';
  for await (const piece of child.stdout) {
    text += piece;
    const found = pattern.exec(text);
    if (found) {
      child.stdout.resume();
      return found;
    }
  }
  throw new Error(`It has ended: ${text}`);
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

try {
  const startedAt = performance.now();
  const any = { FERRY_HTTP_PORT: '0', FERRY_MQTT_PORT: '0', FERRY_TEMPORAL_PORT: '0', FERRY_TEMPORAL_UI_PORT: '0' };
  const service = ferry(['up'], { ...any, FERRY_LOG_LEVEL: 'warn' });
  service.stdout.resume();
  const [, url, mqttUrl] = await new Promise((resolve, reject) => {
    let text = '';
    service.stderr.on('data', (piece) => {
      text += piece;
      const found = /(http:\S+)\/v1\n\s+MQTT\s+(\S+)/.exec(text);
      if (found) resolve(found);
    });
    service.once('exit', () => reject(new Error(`It has ended: ${text}`)));
  });
  const readyMs = performance.now() - startedAt;
  const temporal = JSON.parse(await readFile(join(folder, 'data', 'temporal.json'), 'utf8')).pid;
  const residentMb = async (pid, field = 'VmRSS') => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    return Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024);
  };
  const rows = [];
  const note = async (what) =>
    rows.push({ what, 'service MB': await residentMb(service.pid), 'Temporal MB': await residentMb(temporal) });
  const post = async (path, body) => {
    const isForm = body instanceof FormData;
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, ...(isForm ? {} : { 'content-type': 'application/json' }) },
      body: isForm ? body : JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };

  await pause(5_000);
  await note('idle');

  await post('/v1/products', { productKey: 'footprint', name: 'Footprint' });
  const fleet = ['simulate', '--devices', String(DEVICES), '--product', 'footprint', '--behaviour', 'ok'];
  const simulator = ferry([...fleet, '--url', url, '--mqtt', mqttUrl, '--state', join(folder, 'fleet')]);
  await until(simulator, new RegExp(`online ${DEVICES} of`));
  await pause(5_000);
  await note(`${DEVICES} connected devices`);
  simulator.kill('SIGINT');
  await once(simulator, 'exit');

  const upload = async (version) => {
    const form = new FormData();
    for (const [field, value] of Object.entries({ name: 'large', productKey: 'footprint', version })) {
      form.set(field, value);
    }
    form.set('file', new Blob([randomBytes(FILE_BYTES)]), 'large.bin');
    return post('/v1/firmware', form);
  };
  const [first] = await Promise.all(Array.from({ length: UPLOADS }, (_, i) => upload(`1.0.${i}`)));
  await note(`after ${UPLOADS} uploads of 10 MB at once`);

  const { devices } = await post('/v1/products/footprint/devices', { deviceName: 'downloader' });
  const { deviceSecret } = devices[0];
  const client = await connectAsync(mqttUrl, {
    clientId: 'x|signmethod=hmacsha256,securemode=3,_ss=1|',
    username: 'downloader&footprint',
    password: createHmac('sha256', deviceSecret)
      .update('clientIdxdeviceNamedownloaderproductKeyfootprint')
      .digest('hex'),
  });
  const notification = once(client, 'message');
  await post(`/v1/firmware/${first.id}/verifications`, { deviceNames: ['downloader'] });
  const { data } = JSON.parse((await notification)[1].toString());
  const download = async () => {
    let bytes = 0;
    for await (const piece of (await fetch(data.url)).body) bytes += piece.length;
    if (bytes !== FILE_BYTES) throw new Error(`${bytes} bytes arrived`);
  };
  await Promise.all(Array.from({ length: DOWNLOADS }, download));
  await note(`after ${DOWNLOADS} downloads of 10 MB at once`);
  await client.endAsync();

  console.table(rows);
  console.log(`start to ready: ${(readyMs / 1_000).toFixed(1)} s`);
  console.log(`highest resident memory of the service: ${await residentMb(service.pid, 'VmHWM')} MB`);
} finally {
  for (const child of children) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
  }
  await rm(folder, { recursive: true, force: true });
}
