import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolvePolicy } from '../../domain/policy.js';
import { PRODUCT, TOKEN, World } from '../api/world.js';
import { Terminal, type Result } from './terminal.js';

let world: World;
let url: string;
let folder: string;

beforeEach(async () => {
  world = await World.open();
  ({ url } = await world.listen());
  folder = await mkdtemp(join(tmpdir(), 'ferry-cli-'));
});
afterEach(async () => {
  await world.close();
  await rm(folder, { recursive: true, force: true });
});

const env = () => ({ FERRY_URL: url, FERRY_TOKEN: TOKEN });
const ferry = (line: string): Promise<Result> => new Terminal(env()).run(line.split(' '));
/** The command's answer in JSON. */
async function json<T = Record<string, unknown>>(line: string): Promise<T> {
  const { exitCode, out, err } = await ferry(`${line} --json`);
  expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' });
  return JSON.parse(out) as T;
}

describe('products and devices', () => {
  it('creates and lists products', async () => {
    expect((await ferry('product create lamps --name Lamp')).out).toBe('Product lamps created.\n');
    expect((await json<{ productKey: string }>('product create')).productKey).toMatch(/.+/);
    expect((await ferry('product list')).out).toMatch(
      /PRODUCT +NAME +TRUSTS +CREATED\n[^]*lamps +Lamp +any firmware +\d{4}-/,
    );
    expect(await json('product list')).toMatchObject({ nextCursor: null });
  });

  it('say of rebuilt records that it is undecided whom they trust, in the list and each by itself', async () => {
    const sha256 = 'ab'.repeat(32);
    const firmware = {
      ...{ id: 'firmware-of-before', name: 'lamp', productKey: 'rebuilt', module: 'default', version: '2.0.0' },
      ...{ sizeBytes: 3, signMethod: 'SHA256' as const, sign: sha256, sha256, createdAtMs: 1, verifiedAtMs: 5 },
    };
    await world.records.importTask({
      ...{ id: 'task-of-before', kind: 'verification', status: 'completed', sourceVersions: [], reinitiates: null },
      ...{ startedBy: 'admin', policy: resolvePolicy('verification'), runId: 'run', createdAtMs: 10, startedAtMs: 11 },
      ...{ endedAtMs: 12, cancelRequestedAtMs: null, endRequestedAtMs: null, firmware, deviceUpdates: [] },
    });
    expect((await ferry('product list')).out).toMatch(/rebuilt .* undecided /);
    expect((await ferry('product show rebuilt')).out).toMatch(/trusts +undecided\n/);
    await ferry('product trust rebuilt --any');
    expect((await ferry('product show rebuilt')).out).toMatch(/trusts +any firmware\n/);
  });

  it('registers devices and shows their secrets once', async () => {
    await world.product([]).catch(() => undefined);
    const added = await json<{ devices: { deviceName: string; deviceSecret: string }[] }>(
      `device add ${PRODUCT} T-1 T-2`,
    );
    expect(added.devices.map(({ deviceName }) => deviceName)).toEqual(['T-1', 'T-2']);
    expect((await ferry(`device add ${PRODUCT} T-3 --secret my-own-secret`)).out).toMatch(/T-3 +my-own-secret +mqtt/);
    expect((await ferry(`device show ${PRODUCT} T-3`)).out).not.toContain('my-own-secret');
  });

  it('imports a CSV and keeps the secrets in a file that only the user reads', async () => {
    await world.product(['lamp-1']);
    const [csv, out] = [join(folder, 'devices.csv'), join(folder, 'secrets.csv')];
    await writeFile(csv, 'deviceName,deviceSecret,protocol\nT-1,secret-number-1,http\nT-2,,\n');
    expect((await ferry(`device import ${PRODUCT} ${csv} --out ${out}`)).out).toBe(
      `2 devices registered; names and secrets are in ${out}.\n`,
    );
    expect(await readFile(out, 'utf8')).toMatch(
      /^deviceName,deviceSecret,protocol\nT-1,secret-number-1,http\nT-2,\S+,mqtt\n$/,
    );
    expect((await stat(out)).mode & 0o777).toBe(0o600);
  });

  it('are not registered or rotated when the file for their secrets can’t be opened', async () => {
    await world.product(['lamp-1']);
    for (const out of [folder, join(folder, 'missing', 'secrets.csv')]) {
      const refused = { exitCode: 1, out: '', err: expect.stringContaining(out) as string };
      expect(await ferry(`device add ${PRODUCT} T-1 --out ${out}`)).toMatchObject(refused);
      expect(await ferry(`device rotate ${PRODUCT} lamp-1 --out ${out}`)).toMatchObject(refused);
    }
    const { items } = await json<{ items: { deviceName: string }[] }>(`devices ${PRODUCT}`);
    expect(items.map(({ deviceName }) => deviceName)).toEqual(['lamp-1']);
    expect((await ferry('audit')).out).not.toContain('device.rotate-secret');
  });

  it('have their secrets shown when the file does not take them after all', async () => {
    await world.product(['lamp-1']);
    const added = await ferry(`device add ${PRODUCT} T-1 --secret my-own-secret --out /dev/full`);
    expect(added).toMatchObject({ exitCode: 1, err: expect.stringContaining('/dev/full') as string });
    expect(added.out).toMatch(/T-1 +my-own-secret +mqtt/);
    const rotated = await ferry(`device rotate ${PRODUCT} lamp-1 --out /dev/full --json`);
    expect(rotated.exitCode).toBe(1);
    expect(JSON.parse(rotated.out)).toMatchObject({ devices: [{ deviceName: 'lamp-1' }] });
  });

  it('that are refused leave no file behind', async () => {
    const fresh = join(folder, 'fresh.csv');
    expect((await ferry(`device add nothing T-1 --out ${fresh}`)).err).toContain('[not-found]');
    await expect(stat(fresh)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('are not registered, imported or rotated when the file for their secrets holds something already', async () => {
    await world.product(['lamp-1']);
    const [older, csv] = [join(folder, 'older.csv'), join(folder, 'devices.csv')];
    await writeFile(older, 'the only copy of the secrets of before');
    await writeFile(csv, 'deviceName\nT-2\n');
    for (const command of [
      `device add ${PRODUCT} T-1`,
      `device import ${PRODUCT} ${csv}`,
      `device rotate ${PRODUCT} lamp-1`,
    ]) {
      const { exitCode, err } = await ferry(`${command} --out ${older}`);
      expect({ exitCode, err }).toEqual({
        exitCode: 1,
        err: `error: ${older} is there already and is not empty. Name another file by --out: nothing is overwritten.\n`,
      });
    }
    expect(await readFile(older, 'utf8')).toBe('the only copy of the secrets of before');
    const { items } = await json<{ items: { deviceName: string }[] }>(`devices ${PRODUCT}`);
    expect(items.map(({ deviceName }) => deviceName)).toEqual(['lamp-1']);
    expect((await ferry('audit')).out).not.toContain('device.rotate-secret');
  });

  it('are imported in several requests when one may not have them all, and lines are named as in the file', async () => {
    await world.product(['lamp-1']);
    const [csv, out] = [join(folder, 'many.csv'), join(folder, 'many-secrets.csv')];
    const names = Array.from({ length: 10_002 }, (_, index) => `D-${index}`);
    await writeFile(csv, `deviceName\n${names.join('\n')}\n`);
    expect((await ferry(`device import ${PRODUCT} ${csv} --out ${out}`)).out).toBe(
      `10002 devices registered; names and secrets are in ${out}.\n`,
    );
    const lines = (await readFile(out, 'utf8')).trim().split('\n');
    expect(lines).toHaveLength(10_003);
    expect(new Set(lines.map((line) => line.split(',', 1)[0]))).toEqual(new Set(['deviceName', ...names]));

    const others = names.map((_, index) => (index === 10_001 ? 'no name' : `E-${index}`));
    await writeFile(csv, `deviceName\n${others.join('\n')}\n`);
    const late = join(folder, 'late.csv');
    const { exitCode, out: said, err } = await ferry(`device import ${PRODUCT} ${csv} --out ${late}`);
    expect(exitCode).toBe(1);
    expect(said).toBe(`10000 devices registered; names and secrets are in ${late}.\n`);
    expect(err).toContain('line 10003, deviceName');
    expect((await readFile(late, 'utf8')).trim().split('\n')).toHaveLength(10_001);
  });

  it('are imported from what a spreadsheet calls Unicode text', async () => {
    await world.product(['lamp-1']);
    const csv = join(folder, 'utf16.csv');
    await writeFile(csv, '\ufeffdeviceName\r\nT-9\r\n', 'utf16le');
    expect((await ferry(`device import ${PRODUCT} ${csv}`)).out).toContain('T-9');
  });

  it('are not imported from a folder, which is said in a sentence', async () => {
    expect((await ferry(`device import ${PRODUCT} ${folder}`)).err).toBe(
      `error: ${folder} is a directory; name a file (EISDIR).\n`,
    );
  });

  it('are not written into the list that they are imported from', async () => {
    await world.product(['lamp-1']);
    const csv = join(folder, 'devices.csv');
    await writeFile(csv, 'deviceName\nT-2\n');
    expect((await ferry(`device import ${PRODUCT} ${csv} --out ${csv}`)).err).toContain('is the file that is read');
    expect(await readFile(csv, 'utf8')).toBe('deviceName\nT-2\n');
  });

  it('have their secrets in an empty file that was there, out of the sight of others', async () => {
    await world.product(['lamp-1']);
    const out = join(folder, 'empty.csv');
    await writeFile(out, '');
    await chmod(out, 0o644);
    expect((await ferry(`device add ${PRODUCT} T-1 --secret my-own-secret --out ${out}`)).exitCode).toBe(0);
    expect(await readFile(out, 'utf8')).toBe('deviceName,deviceSecret,protocol\nT-1,my-own-secret,mqtt\n');
    expect((await stat(out)).mode & 0o777).toBe(0o600);
  });

  it('have their secrets told apart from a registration when one of them is rotated', async () => {
    await world.product(['lamp-1']);
    const out = join(folder, 'rotated.csv');
    expect((await ferry(`device rotate ${PRODUCT} lamp-1 --out ${out}`)).out).toBe(
      `lamp-1 has another secret; it is in ${out}.\n`,
    );
  });

  it('lists devices by version, presence and page', async () => {
    await world.product();
    await world.runs('lamp-2', '1.1.0');
    expect((await ferry(`devices ${PRODUCT}`)).out).toMatch(/lamp-1 +1\.0\.0 +no +mqtt/);
    const filtered = await json<{ items: { deviceName: string }[] }>(`devices ${PRODUCT} --version 1.1.0 --offline`);
    expect(filtered.items.map(({ deviceName }) => deviceName)).toEqual(['lamp-2']);
    const first = await ferry(`device list ${PRODUCT} --limit 2`);
    const cursor = /More: add --cursor (\S+)/.exec(first.out)?.[1] ?? '';
    expect((await ferry(`device list ${PRODUCT} --limit 2 --cursor ${cursor}`)).out).toContain('lamp-3');
    expect((await ferry(`devices ${PRODUCT} --online`)).out).toBe('No device matches.\n');
  });

  it('shows a device with its updates over all tasks, and what it waits for', async () => {
    await world.product();
    const taskId = await world.batch();
    await world.notify(taskId, 'lamp-2');
    const { out } = await ferry(`device show ${PRODUCT} lamp-2`);
    expect(out).toMatch(/runs +default 1\.0\.0/);
    expect(out).toContain('silent since its notification');
    expect(out).toMatch(
      new RegExp(
        `BEGUN +TASK +FIRMWARE +FROM +TO [^]*\\d\\d:\\d\\d:\\d\\d UTC\\S* +${taskId} +lamp +1\\.0\\.0 +2\\.0\\.0 +notified`,
      ),
    );
    expect((await ferry(`task ${taskId}`)).out).toMatch(/created +\d{4}-.* UTC\S* by admin\n/);
    expect(await json(`device show ${PRODUCT} lamp-2`)).toMatchObject({ currentUpdate: { taskId } });
  });
});

describe('firmware', () => {
  it('is added from a file, listed with the quota, shown by name@version and by id, and deleted', async () => {
    await world.product();
    const file = join(folder, 'main-board.bin');
    await writeFile(file, 'new firmware');
    const added = await ferry(`firmware add ${file} --product ${PRODUCT} --version 2.0.0 --sign-method MD5`);
    expect(added.out).toMatch(/^main_board@2\.0\.0 added: \S+, 12 B, MD5 [0-9a-f]{32}\n/);
    expect((await ferry('firmware list')).out).toContain('1 of 100 firmware used, deleted ones counted.');
    const shown = await json<{ id: string; sizeBytes: number }>('firmware show main_board@2.0.0');
    expect(shown.sizeBytes).toBe(12);
    expect(await json(`firmware show ${shown.id}`)).toMatchObject(shown);
    expect((await ferry('firmware delete main_board@2.0.0')).out).toBe('main_board@2.0.0 deleted.\n');
    expect(await json('firmware list')).toMatchObject({ items: [], quota: { used: 1, max: 100 } });
  });

  it('must be told apart by id when two products have the same name and version', async () => {
    await world.product();
    await world.firmware();
    await world.post('/v1/products', { productKey: 'ovens', name: 'Oven' });
    await world.upload({ name: 'lamp', productKey: 'ovens', version: '2.0.0' });
    const { exitCode, err } = await ferry('firmware show lamp@2.0.0');
    expect(exitCode).toBe(1);
    expect(err).toMatch(/There are 2 firmware lamp@2\.0\.0; name one by its id.*:\n.*product ovens[^]*product lamps/);
  });

  it('whose file can’t be read is told as that, not as a service that is away', async () => {
    const { exitCode, err } = await ferry(`firmware add ${folder} --product ${PRODUCT} --version 2.0.0`);
    expect({ exitCode, err }).toEqual({ exitCode: 1, err: `error: ${folder} is a directory; name a file (EISDIR).\n` });
  });

  it('that does not exist is said not to', async () => {
    expect((await ferry('firmware show lamp@9')).err).toBe(
      'error: There is no firmware lamp@9. "ferry firmware list" shows all.\n',
    );
    expect((await ferry('firmware show unknown')).err).toContain('[not-found]');
  });
});

describe('update tasks', () => {
  it('a verification is created with its policy in durations, and ended early', async () => {
    await world.product();
    await world.firmware();
    const task = await json<{ id: string }>(
      'verify lamp@2.0.0 --devices lamp-1,lamp-2 --offline-timeout 10m --notifications 5 --reconnect-grace 0s',
    );
    expect(task).toMatchObject({
      kind: 'verification',
      counts: { total: 2 },
      policy: { offlineTimeoutMs: 600_000, notificationsMax: 5, reconnectGraceMs: 0 },
    });
    await world.notify(task.id, 'lamp-1');
    expect((await ferry(`end ${task.id}`)).out).toContain('is being ended');
    expect((await ferry(`task ${task.id}`)).out).toMatch(
      /kind +verification\n[^]*policy +offline 10m, response 5m × 5/,
    );
  });

  it('a batch is created for all devices on the source versions, or for those of a file', async () => {
    await world.product();
    await world.verifiedFirmware('2.0.0', 'failed');
    await writeFile(join(folder, 'some'), 'lamp-2\n');
    const some = await json<{ id: string }>(`batch lamp@2.0.0 --from 1.0.0 --devices-file ${join(folder, 'some')}`);
    expect(some).toMatchObject({ counts: { total: 1 } });
    await world.end(some.id);
    expect((await ferry('batch lamp@2.0.0 --from 1.0.0,0.9.0')).out).toMatch(
      /^Batch \S+ begins: 3 devices from 1\.0\.0, 0\.9\.0 to lamp@2\.0\.0\.\nWARNING: no device succeeded in its last verification: 0 of 1 succeeded/,
    );
    expect((await ferry('tasks --kind batch --firmware lamp@2.0.0 --status pending')).out).toContain('pending 3 of 3');
  });

  it('a conflict is told in one sentence with its code; as JSON, the whole problem', async () => {
    await world.product();
    const taskId = await world.batch();
    await world.verifiedFirmware('3.0.0');
    const { exitCode, err, out } = await ferry('batch lamp@3.0.0 --from 1.0.0');
    expect({ exitCode, out }).toEqual({ exitCode: 1, out: '' });
    expect(err).toMatch(new RegExp(`^error: .*${taskId}.* \\[update-task-conflict\\]\n$`));
    const asJson = await ferry('batch lamp@3.0.0 --from 1.0.0 --json');
    expect(asJson.out).toBe('');
    expect(JSON.parse(asJson.err)).toMatchObject({ code: 'update-task-conflict', conflicts: [{ taskId }] });
  });

  it('every field and device that breaks a rule is named on a line of its own', async () => {
    await world.product();
    await world.verifiedFirmware();
    const fields = await ferry('batch lamp@2.0.0 --from 1.0.0 --stall-timeout 1ms --overall-timeout 1ms');
    expect(fields.err).toMatch(
      /--stall-timeout: must be from 1 second to 30 days; .*\n {2}--overall-timeout: must be from /,
    );
    const devices = await ferry('batch lamp@2.0.0 --from 1.0.0 --devices lamp-1,ghost,other');
    expect(devices.err).toMatch(/\[devices-invalid\]\n {2}ghost: .*\n {2}other: /);
  });

  it('a refused token says what to give', async () => {
    const { exitCode, err } = await ferry('tasks --token wrong');
    expect(exitCode).toBe(1);
    expect(err).toMatch(/token was refused \[unauthorized\].*--token/);
    expect(err).not.toContain('admin');
  });

  it('the failure list has a brief cause for each device, as a table, JSON and CSV', async () => {
    await world.product();
    const taskId = await world.batch();
    expect((await ferry(`failures ${taskId}`)).out).toBe('No device has failed.\n');
    await world.fail(taskId, 'lamp-2', 'download-failed', 'line 1\u001b[2Jline 2');
    expect((await ferry(`failures ${taskId}`)).out).toMatch(
      /lamp-2 +download-failed +The device could not download the firmware\. line 1·\[2Jline 2 +1/,
    );
    expect(await json(`failures ${taskId}`)).toMatchObject({
      items: [{ deviceName: 'lamp-2', cause: 'download-failed', attempt: 1 }],
      nextCursor: null,
    });
    expect((await ferry(`failures ${taskId} --csv`)).out).toMatch(/^deviceName,[^]*lamp-2,/);
    expect((await ferry(`task ${taskId}`)).out).toMatch(/failures +download-failed 1/);
    expect((await ferry(`task ${taskId} --devices`)).out).toMatch(/lamp-2 +failed/);
  });

  it('failed devices are re-initiated, all or chosen ones', async () => {
    await world.product();
    const taskId = await world.batch();
    await world.fail(taskId, 'lamp-1', 'stalled');
    await world.fail(taskId, 'lamp-2', 'stalled');
    await world.succeed(taskId, 'lamp-3');
    expect((await ferry(`reinitiate ${taskId}`)).err).toContain('[task-not-ended]');
    await world.end(taskId);
    const chosen = await json<{ id: string }>(`reinitiate ${taskId} --devices lamp-2`);
    expect(chosen).toMatchObject({ reinitiates: taskId, counts: { total: 1 } });
    await world.end(chosen.id);
    expect((await ferry(`reinitiate ${taskId}`)).out).toMatch(/re-initiates 2 failed devices of /);
  });

  it('a task or one device of it is cancelled', async () => {
    await world.product();
    const taskId = await world.batch();
    expect((await ferry(`cancel ${taskId} --device lamp-1`)).out).toBe(
      `The update of lamp-1 in task ${taskId} is being cancelled.\n`,
    );
    expect(await json(`cancel ${taskId}`)).toMatchObject({
      id: taskId,
      cancelRequestedAt: expect.any(String) as string,
    });
    expect((await ferry(`task ${taskId}`)).out).toMatch(/cancellation +asked for at \d{4}-.*, under way/);
    await world.end(taskId);
    expect((await ferry(`task ${taskId}`)).out).not.toContain('cancellation');
    expect((await ferry(`cancel ${taskId}`)).err).toContain('[task-not-open]');
  });

  it('a verification that is being ended says so until it has ended', async () => {
    await world.product();
    await world.firmware();
    const { id } = await json<{ id: string }>('verify lamp@2.0.0 --devices lamp-1');
    await world.notify(id, 'lamp-1');
    await ferry(`end ${id}`);
    expect((await ferry(`task ${id}`)).out).toMatch(/early end +asked for at \d{4}-.*, under way/);
    await world.end(id);
    expect((await ferry(`task ${id}`)).out).not.toContain('early end');
  });

  it('a paused task says why, and what makes it go on', async () => {
    await world.product();
    const taskId = await world.batch();
    const { sha256 } = await json<{ sha256: string }>('firmware show lamp@2.0.0');
    await world.records.pauseTasksOf(sha256, 'firmware-file-damaged', Date.now());
    expect((await ferry(`task ${taskId}`)).out).toMatch(
      /status +paused\n[^]*paused +since \d{4}-.*: the stored firmware file is damaged; .*add the same file again/,
    );
  });
});

describe('a batch that needs a second operator', () => {
  beforeEach(async () => {
    await world.close();
    world = await World.open({ approvalAbove: 2 });
    ({ url } = await world.listen());
    await world.product();
    await world.verifiedFirmware();
  });
  const awaiting = async () => {
    const { id } = await json<{ id: string }>('batch lamp@2.0.0 --from 1.0.0');
    await world.records.taskBegun(id, 'run-1', Date.now());
    return id;
  };
  const bob = async () => (await ferry('token create bob --role operator')).out.split('\n')[0] ?? '';

  it('is not said to begin: it waits, and the command that lets it go is named', async () => {
    const { out } = await ferry('batch lamp@2.0.0 --from 1.0.0');
    const [, id = ''] = /^Batch (\S+) waits for another operator: 3 devices from 1\.0\.0 /.exec(out) ?? [];
    expect(out).toContain(`ferry approve ${id}`);
    await world.records.taskBegun(id, 'run-1', Date.now());
    expect((await ferry(`task ${id}`)).out).toMatch(
      new RegExp(`status +awaiting-approval\n[^]*waits for +another operator than \\S.*: ferry approve ${id}`),
    );
  });

  it('that re-initiates another one says the same', async () => {
    const id = await awaiting();
    await ferry(`approve ${id} --token ${await bob()}`);
    for (const name of ['lamp-1', 'lamp-2', 'lamp-3']) await world.fail(id, name, 'stalled');
    await world.end(id);
    expect((await ferry(`reinitiate ${id}`)).out).toMatch(/re-initiates 3 failed devices [^]*ferry approve \S+\n$/);
  });

  it('shows who has decided, and the remark', async () => {
    const id = await awaiting();
    const words = ['reject', id, '--remark', 'not on a Friday', '--token', await bob()];
    expect((await new Terminal(env()).run(words)).exitCode).toBe(0);
    await world.records.taskEnded(id, 'rejected', Date.now());
    const { out } = await ferry(`task ${id}`);
    expect(out).toMatch(/rejected +by bob at \d{4}-.*: not on a Friday\n/);
    expect(out).not.toContain('ferry approve');
  });

  it('is watched to its end also when that is a rejection', async () => {
    const id = await awaiting();
    const terminal = new Terminal(env());
    const watching = terminal.run(['watch', id]);
    await terminal.shows('awaiting-approval');
    await world.records.taskEnded(id, 'rejected', Date.now());
    expect((await watching).out).toContain(`Task ${id} rejected: cancelled 3 of 3.\n`);
  });
});

describe('watching a task', () => {
  it('writes a line per change and the outcome at its end', async () => {
    await world.product();
    const taskId = await world.batch();
    const terminal = new Terminal(env());
    const watching = terminal.run(['watch', taskId]);
    await terminal.shows('pending 3 of 3');
    await world.notify(taskId, 'lamp-1');
    await terminal.shows('pending 2 · notified 1 of 3');
    await world.fail(taskId, 'lamp-1', 'stalled');
    await world.succeed(taskId, 'lamp-2');
    await world.succeed(taskId, 'lamp-3');
    await world.end(taskId);
    const { exitCode, out } = await watching;
    expect(exitCode).toBe(3);
    expect(out).toContain(`Task ${taskId} completed: succeeded 2 · failed 1 of 3.\n`);
    expect(out).toContain(`ferry failures ${taskId}`);
  });

  it('writes a JSON document a line for programs', async () => {
    await world.product();
    const taskId = await world.batch();
    const terminal = new Terminal(env());
    const watching = terminal.run(['watch', taskId, '--json']);
    await terminal.shows('"status":"running"');
    await world.end(taskId);
    const { out } = await watching;
    const documents = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { status: string });
    expect(documents.at(-1)?.status).toBe('completed');
  });

  it('begins anew when the service knows less than it told before: its data folder was restored', async () => {
    await world.product();
    const taskId = await world.batch();
    const terminal = new Terminal(env());
    const watching = terminal.run(['watch', taskId]);
    await terminal.shows('pending 3 of 3');
    world.records.lastChange = () => Promise.resolve(0);
    await world.restart();
    await world.end(taskId);
    expect(await watching).toMatchObject({ exitCode: 4, out: expect.stringContaining('completed') as string });
  });

  it('ends at Ctrl-C with 130, so that no command after it runs, and the task goes on', async () => {
    await world.product();
    const taskId = await world.batch();
    const terminal = new Terminal(env());
    const watching = terminal.run(['watch', taskId]);
    await terminal.shows('pending 3 of 3');
    terminal.interrupt();
    const { exitCode, out } = await watching;
    expect(exitCode).toBe(130);
    expect(out).toContain(`The task goes on. Watch it again: ferry watch ${taskId}`);
    expect(terminal.signals.listenerCount('SIGINT')).toBe(0);
    expect((await world.get<{ status: string }>(`/v1/tasks/${taskId}`)).body.status).toBe('running');
  });

  it('is begun by --watch right after the creation', async () => {
    await world.product();
    await world.firmware();
    const terminal = new Terminal(env());
    const watching = terminal.run(['verify', 'lamp@2.0.0', '--devices', 'lamp-1', '--watch']);
    await terminal.shows('pending 1 of 1');
    const [taskId] = world.delivered;
    await world.end(taskId ?? '');
    expect((await watching).out).toMatch(
      /^Verification \S+ of lamp@2\.0\.0 on 1 device begins\.\n[^]*completed: cancelled 1/,
    );
  });
});
