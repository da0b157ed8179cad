import { PassThrough } from 'node:stream';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { execFile } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { verificationRemark, verificationText } from '../../cli/last-verification.js';
import { shellWord } from '../../cli/shell-word.js';
import { exitCodeOf } from '../../cli/watching.js';
import { PRODUCT, TOKEN, World } from '../api/world.js';
import { sourceVersions } from '../../cli/source-versions.js';
import { Terminal } from './terminal.js';

const execute = promisify(execFile);
let world: World;
let folder: string;
let env: NodeJS.ProcessEnv;
beforeEach(async () => {
  world = await World.open();
  const { url } = await world.listen();
  env = { FERRY_URL: url, FERRY_TOKEN: TOKEN };
  folder = await mkdtemp(join(tmpdir(), 'ferry-rollout-'));
});
afterEach(async () => {
  await world.close();
  await rm(folder, { recursive: true, force: true });
});
const ferry = (...words: string[]) => new Terminal(env).run(words);
const tasks = async () => (await world.get<{ items: { kind: string }[] }>('/v1/tasks?kind=batch')).body.items;

describe('A task that is watched', () => {
  it('ends the command with 3 when a device failed, also by --watch', async () => {
    await world.product();
    await world.firmware();
    const terminal = new Terminal(env);
    const watching = terminal.run(['verify', 'lamp@2.0.0', '--devices', 'lamp-1', '--watch']);
    await terminal.shows('pending 1 of 1');
    const taskId = world.delivered[0] ?? '';
    await world.fail(taskId, 'lamp-1', 'update-failed');
    await world.end(taskId);
    expect(await watching).toMatchObject({ exitCode: 3, err: '' });
    expect(await ferry('watch', taskId, '--json')).toMatchObject({ exitCode: 3, err: '' });
  });

  it('ends it with 4 when no device failed, but the task was cancelled', async () => {
    await world.product();
    const taskId = await world.batch();
    await world.succeed(taskId, 'lamp-1');
    await world.records.taskEnded(taskId, 'cancelled', Date.now());
    expect((await ferry('watch', taskId)).exitCode).toBe(4);
  });

  it('ends it with 0 only when every device succeeded', async () => {
    await world.product(['lamp-1']);
    const taskId = await world.batch();
    await world.succeed(taskId, 'lamp-1');
    await world.end(taskId);
    expect((await ferry('watch', taskId)).exitCode).toBe(0);
  });

  it.each([
    ['completed', { succeeded: 2 }, 0],
    ['completed', { succeeded: 1, failed: 1 }, 3],
    ['cancelled', { cancelled: 1, failed: 1 }, 3],
    ['cancelled', { succeeded: 1, cancelled: 1 }, 4],
    ['cancelled', { succeeded: 2 }, 4],
    ['rejected', { cancelled: 2 }, 4],
    ['completed', { cancelled: 2 }, 4], // a verification that was ended early
  ] as const)('that is %s with %j: %i', (status, given, exitCode) => {
    const counts = { pending: 0, notified: 0, upgrading: 0, succeeded: 0, failed: 0, cancelled: 0, total: 2, ...given };
    expect(exitCodeOf({ status, counts })).toBe(exitCode);
  });

  it('tells its exit codes in the help', async () => {
    for (const command of ['watch', 'verify', 'batch', 'reinitiate']) {
      expect((await ferry(command, '--help')).out.replaceAll(/\s+/g, ' ')).toMatch(
        /3 a device failed, 4 no device failed/,
      );
    }
    expect((await ferry('--help')).out).toContain('Exit codes: 0 done');
  });
});

describe('What is said of a firmware that no device has survived', () => {
  const last = {
    taskId: 't1',
    status: 'completed',
    succeeded: 0,
    failed: 1,
    cancelled: 1,
    total: 2,
    endedAt: '2030-01-01T00:00:00.000Z',
  } as const;
  it('is how many of how many succeeded, as a warning', () => {
    expect(verificationText(last)).toBe('0 of 2 succeeded, failed 1, cancelled 1');
    expect(verificationRemark(last)).toBe(
      '\nWARNING: no device succeeded in its last verification: 0 of 2 succeeded, failed 1, cancelled 1 (task t1).',
    );
  });
  it('is less where some have, and nothing where all have', () => {
    expect(verificationRemark({ ...last, succeeded: 1, cancelled: 0 })).toBe(
      '\nIts last verification: 1 of 2 succeeded, failed 1 (task t1).',
    );
    expect(verificationRemark({ ...last, succeeded: 2, failed: 0, cancelled: 0 })).toBe('');
    expect(verificationRemark(null)).toBe('');
  });
});

/** Its verification succeeded on every device. */
async function provenFirmware(): Promise<void> {
  const id = await world.firmware();
  const { body } = await world.post<{ id: string }>(`/v1/firmware/${id}/verifications`, { deviceNames: ['lamp-1'] });
  await world.succeed(body.id, 'lamp-1');
  await world.end(body.id);
}

describe('ferry batch --dry-run', () => {
  it('shows what the batch would meet, and creates nothing', async () => {
    await world.product();
    await world.verifiedFirmware();
    await world.runs('lamp-3', '1.1.0');
    const { exitCode, out } = await ferry('batch', 'lamp@2.0.0', '--from', '1.0.0,1.1.0', '--dry-run');
    expect(exitCode).toBe(0);
    expect(out).toMatch(
      /firmware +lamp@2\.0\.0[^]*devices +3\n +on 1\.0\.0 +2\n +on 1\.1\.0 +1\n[^]*online +0\n[^]*busy +0/,
    );
    const json = await ferry('batch', 'lamp@2.0.0', '--from', '1.0.0', '--dry-run', '--json');
    expect(JSON.parse(json.out)).toMatchObject({ devices: 2, refusal: null, firmware: { version: '2.0.0' } });
    expect(await tasks()).toEqual([]);
  });

  it('ends with 1 and says why, when it would be refused', async () => {
    await world.product();
    const taskId = await world.batch();
    await world.verifiedFirmware('3.0.0');
    const conflict = await ferry('batch', 'lamp@3.0.0', '--from', '1.0.0', '--dry-run');
    expect(conflict).toMatchObject({ exitCode: 1, out: expect.stringContaining(taskId) as string });
    expect(conflict.err).toMatch(/would be refused: .*\[update-task-conflict\]/);
    const downgrade = await ferry('batch', 'lamp@3.0.0', '--from', '9.9.9', '--dry-run');
    expect(downgrade.err).toContain('add --allow-downgrade to update all the same');
    expect(await tasks()).toHaveLength(1);
  });
});

describe('A batch to very many devices', () => {
  const many = Array.from({ length: 101 }, (_, index) => `lamp-${index}`);
  /** A terminal at which a person types. */
  async function atTerminal(typed: string | undefined, ...words: string[]) {
    const terminal = new Terminal(env);
    const input = Object.assign(new PassThrough(), { isTTY: true });
    const running = terminal.run(words, {}, input);
    if (typed !== undefined) input.write(`${typed}\n`);
    return running;
  }
  beforeEach(async () => {
    await world.product(many);
    await provenFirmware();
    await world.runs('lamp-0', '2.0.0');
  });
  const BATCH = ['batch', 'lamp@2.0.0', '--from', '1.0.0'];

  it('is asked about on a terminal, where only yes is yes', async () => {
    await world.runs('lamp-0', '1.0.0');
    const refused = await atTerminal('y', ...BATCH);
    expect(refused).toMatchObject({ exitCode: 1, out: '' });
    expect(refused.err).toMatch(
      /devices +101\n[^]*Update 101 devices to lamp@2\.0\.0\? Type "yes"[^]*Nothing was created/,
    );
    expect(await tasks()).toEqual([]);
    expect((await atTerminal('yes', ...BATCH)).out).toMatch(/^Batch \S+ begins: 101 devices/);
  });

  it('is asked about also when they are few, if no device has survived the verification', async () => {
    await world.verifiedFirmware('3.0.0', 'failed');
    const refused = await atTerminal('no', 'batch', 'lamp@3.0.0', '--from', '1.0.0');
    expect(refused.exitCode).toBe(1);
    expect(refused.err).toMatch(/last verification +WARNING: 0 of 1 succeeded/);
    expect((await ferry('firmware', 'show', 'lamp@3.0.0')).out).toMatch(/last verification +0 of 1 succeeded.*task/);
    expect((await ferry('firmware', 'list')).out).toMatch(
      /LAST VERIFICATION[^]*lamp@3\.0\.0 .*verified +0 of 1 succeeded/,
    );
  });

  it('is not created at Ctrl-C, nor when the input ends', async () => {
    await world.runs('lamp-0', '1.0.0');
    const terminal = new Terminal(env);
    const input = Object.assign(new PassThrough(), { isTTY: true });
    const asked = terminal.run(BATCH, {}, input);
    await terminal.shows('Type "yes"');
    terminal.interrupt();
    expect((await asked).exitCode).toBe(130);
    const ended = new Terminal(env).run(BATCH, {}, Object.assign(new PassThrough(), { isTTY: true }).end());
    expect((await ended).err).toContain('Nothing was created');
    expect(await tasks()).toEqual([]);
  });

  it('is not asked about with --yes, without a terminal, or up to 100 devices', async () => {
    expect((await atTerminal(undefined, ...BATCH)).out).toMatch(/begins: 100 devices/);
    await world.end((await world.get<{ items: { id: string }[] }>('/v1/tasks?kind=batch')).body.items[0]?.id ?? '');
    await world.runs('lamp-0', '1.0.0');
    expect((await atTerminal(undefined, ...BATCH, '--yes')).out).toMatch(/begins: 101 devices/);
    await world.end((await world.get<{ items: { id: string }[] }>('/v1/tasks?kind=batch')).body.items[0]?.id ?? '');
    expect((await ferry(...BATCH)).out).toMatch(/begins: 101 devices/);
  });
});

describe('Versions as people write them', () => {
  const ODD = ['9.9 (customized)', '1,5', "it's", '$HOME `id`', '-rc1', 'a;b|c&d', '*?[x]', '!x', '~', '#1', '版本 二'];

  it.each(ODD)('are quoted in what is printed to be copied: %s', async (version) => {
    await world.product();
    const file = join(folder, 'main.bin');
    await writeFile(file, `firmware ${version}`);
    const added = await ferry('firmware', 'add', file, '--product', PRODUCT, '--version', version);
    const [, line = ''] = /next: ferry (.*) …\n/.exec(added.out) ?? [];
    const { stdout } = await execute('sh', ['-c', `printf '%s\\n' ${line}`]);
    expect(stdout).toBe(`verify\nmain@${version}\n--devices\n`);
    expect(await ferry('firmware', 'show', `main@${version}`)).toMatchObject({ exitCode: 0 });
  });

  it('stay as they are where a shell reads nothing into them', () => {
    expect([shellWord('main@2.0.0'), shellWord(''), shellWord("a'b")]).toEqual([
      'main@2.0.0',
      "''",
      String.raw`'a'\''b'`,
    ]);
  });

  it('with a comma are never taken apart where that could mean other devices', async () => {
    await world.product();
    await world.verifiedFirmware();
    await world.runs('lamp-1', '3');
    await world.runs('lamp-2', '1');
    await world.runs('lamp-3', '3,1');
    const doubt = await ferry('batch', 'lamp@2.0.0', '--from', '3,1', '--allow-downgrade');
    expect(doubt.exitCode).toBe(1);
    expect(doubt.err).toBe(
      'error: --from "3,1" can mean several versions, or one with a comma in it: devices of the product run the version "3,1". ' +
        'Say which is meant:\n  --from-version 3 --from-version 1\n  --from-version 3,1\n',
    );
    expect((await ferry('batch', 'lamp@2.0.0', '--from', '2,5')).err).toContain('can be a part of a number');
    const exact = await ferry('batch', 'lamp@2.0.0', '--from-version', '3,1', '--allow-downgrade', '--json');
    expect(JSON.parse(exact.out)).toMatchObject({ sourceVersions: ['3,1'], counts: { total: 1 } });
  });

  it('with a comma are known also where the product has more versions than a page of them has', async () => {
    const pages = [['1', '2'], ['3,1'], [null]];
    const listVersions = (_productKey: string, { cursor = '0' }: { cursor?: string } = {}) => {
      const [page, next] = [pages[Number(cursor)] ?? [], Number(cursor) + 1];
      return Promise.resolve({
        items: page.map((version) => ({ version, devices: 1, claimedBy: null })),
        nextCursor: next < pages.length ? String(next) : null,
      });
    };
    const found = sourceVersions({ listVersions }, { productKey: PRODUCT, module: 'default' }, { from: ['3,1'] });
    await expect(found).rejects.toThrow('devices of the product run the version "3,1"');
  });

  it('may be named one by one', async () => {
    await world.product();
    await world.verifiedFirmware();
    await world.runs('lamp-1', '7');
    const { out } = await ferry('batch', 'lamp@2.0.0', '--from', '7', '--from', '1.0.0', '--allow-downgrade');
    expect(out).toMatch(/begins: 3 devices from 7, 1\.0\.0 to/);
  });

  it('that no version can be are told with the option', async () => {
    await world.product();
    await world.verifiedFirmware();
    const { exitCode, err } = await ferry('batch', 'lamp@2.0.0', '--from-version', 'a"b');
    expect({ exitCode, err }).toMatchObject({
      exitCode: 2,
      err: expect.stringMatching(/--from: .*\n {2}"a"b" must be/) as string,
    });
  });
});

describe('A firmware of which several have the name and version', () => {
  it('is named with its product, which the printed next step does', async () => {
    await world.product();
    await world.firmware();
    await world.post('/v1/products', { productKey: 'ovens', name: 'Oven' });
    const file = join(folder, 'lamp.bin');
    await writeFile(file, 'for ovens');
    const added = await ferry('firmware', 'add', file, '--product', 'ovens', '--version', '2.0.0');
    expect(added.out).toContain('next: ferry verify lamp@2.0.0 --product ovens --devices …');
    expect((await ferry('firmware', 'show', 'lamp@2.0.0')).err).toContain('add --product');
    expect((await ferry('firmware', 'show', 'lamp@2.0.0', '--product', 'ovens')).out).toMatch(/product +ovens/);
    expect((await ferry('verify', 'lamp@2.0.0', '--product', PRODUCT, '--devices', 'lamp-1')).exitCode).toBe(0);
    expect((await ferry('batch', 'lamp@2.0.0', '--product', 'ovens', '--from', '1')).err).toContain(
      '[firmware-not-verified]',
    );
    expect((await ferry('tasks', '--firmware', 'lamp@2.0.0', '--product', PRODUCT)).out).toContain('verification');
    expect((await ferry('firmware', 'delete', 'lamp@2.0.0', '--product', 'ovens')).exitCode).toBe(0);
    expect((await ferry('firmware', 'show', 'lamp@2.0.0', '--product', 'kettles')).err).toContain('of product kettles');
  });

  it('is named with its module likewise', async () => {
    await world.product();
    await world.firmware();
    const file = join(folder, 'lamp.bin');
    await writeFile(file, 'for the MCU');
    const added = await ferry('firmware', 'add', file, '--product', PRODUCT, '--version', '2.0.0', '--module', 'MCU');
    expect(added.out).toContain('next: ferry verify lamp@2.0.0 --module MCU --devices …');
    expect((await ferry('firmware', 'show', 'lamp@2.0.0', '--module', 'MCU')).out).toMatch(/module +MCU/);
  });
});
