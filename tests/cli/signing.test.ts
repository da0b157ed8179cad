import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { formatNotification } from '../../broker/payloads.js';
import { keyIdOf } from '../../firmware/signature.js';
import { World } from '../api/world.js';
import { PROJECT_FOLDER } from '../../worker/paths.js';
import { Terminal } from './terminal.js';

const run = promisify(execFile);
const ferry = (words: readonly string[], env: NodeJS.ProcessEnv = {}) => new Terminal(env).run(words);
const VERIFIER = join(PROJECT_FOLDER, 'docs', 'samples', 'verify-firmware.sh');

let folder: string;
const path = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ferry-signing-'));
  await writeFile(path('main.bin'), 'the firmware');
  await ferry(['keys', 'generate', path('release.key')]);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const SIGN = ['--product', 'lamps', '--version', '2.0.0'];
const sign = () => ferry(['firmware', 'sign', path('main.bin'), '--key', path('release.key'), ...SIGN]);

describe('ferry keys generate', () => {
  it('writes a private key for its owner only, and never over another one', async () => {
    expect((await stat(path('release.key'))).mode & 0o777).toBe(0o600);
    const before = await readFile(path('release.key'), 'utf8');
    const { exitCode, err } = await ferry(['keys', 'generate', path('release.key')]);
    expect({ exitCode, err }).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining('never overwritten') as string,
    });
    expect(await readFile(path('release.key'), 'utf8')).toBe(before);
  });

  it('writes neither when the file of the public one is there', async () => {
    await writeFile(path('half.key.pub'), 'of another key');
    const { exitCode, err } = await ferry(['keys', 'generate', path('half.key')]);
    expect({ exitCode, err }).toMatchObject({ exitCode: 1, err: expect.stringContaining('half.key.pub') as string });
    await expect(stat(path('half.key'))).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await readFile(path('half.key.pub'), 'utf8')).toBe('of another key');
  });
});

describe('ferry firmware sign', () => {
  const signTo = (...more: string[]) =>
    ferry(['firmware', 'sign', path('main.bin'), '--key', path('release.key'), ...SIGN, ...more]);

  it('writes over no file: neither an older signature, nor the firmware, nor the key', async () => {
    await writeFile(path('older.sig'), 'of an older firmware');
    for (const name of ['older.sig', 'main.bin', 'release.key']) {
      const before = await readFile(path(name), 'utf8');
      const { exitCode, err } = await signTo('--out', path(name));
      expect({ exitCode, err }).toMatchObject({ exitCode: 1, err: expect.stringContaining(path(name)) as string });
      expect(await readFile(path(name), 'utf8')).toBe(before);
    }
  });

  it('tells in a sentence when a file is no private key that signs', async () => {
    for (const [key, message] of [
      [path('main.bin'), 'is no private key'],
      [path('release.key.pub'), 'is no private key'],
      [path('missing.key'), 'does not exist'],
      [folder, 'is a directory'],
    ] as const) {
      const { exitCode, err } = await ferry(['firmware', 'sign', path('main.bin'), '--key', key, ...SIGN]);
      expect({ exitCode, err }).toMatchObject({ exitCode: 1, err: expect.stringContaining(message) as string });
      expect(err.trim().split('\n')).toHaveLength(1);
    }
  });
});

describe('A firmware that was signed by the command', () => {
  let world: World;
  let session: string[];
  beforeEach(async () => {
    world = await World.open();
    const { url } = await world.listen();
    session = ['--url', url, '--token', 'the-admin-token-of-this-test', '--json'];
    await world.product();
    return () => world.close();
  });

  it('is taken by a product that trusts the key, and the device’s check finds it genuine, and no other', async () => {
    await ferry(['product', 'trust', 'lamps', path('release.key.pub'), ...session]);
    await sign();
    const add = ['firmware', 'add', path('main.bin'), ...SIGN];
    expect((await ferry([...add, ...session])).exitCode).toBe(1);
    const added = await ferry([...add, '--signature', path('main.bin.sig'), ...session]);
    expect(added.exitCode).toBe(0);
    const { id } = JSON.parse(added.out) as { id: string };
    const stored = await world.records.getFirmware(id);
    if (!stored) throw new Error('not stored');

    const message = JSON.parse(formatNotification(stored, 'https://updates.example/files/x', 1)) as {
      data: { version: string; extData: { signature: string; signatureKeyId: string } };
    };
    const publicKey = (await readFile(path('release.key.pub'), 'utf8')).trim();
    expect(message.data.extData.signatureKeyId).toBe(keyIdOf(publicKey));
    const { signature } = message.data.extData;
    const check = (file: string, product: string, module: string, version: string) =>
      run(VERIFIER, [file, publicKey, product, module, version, signature]).then(
        () => 'genuine',
        () => 'refused',
      );
    await writeFile(path('tampered.bin'), 'the firmwarf');
    expect(await check(path('main.bin'), 'lamps', 'default', '2.0.0')).toBe('genuine');
    expect(await check(path('tampered.bin'), 'lamps', 'default', '2.0.0')).toBe('refused');
    expect(await check(path('main.bin'), 'ovens', 'default', '2.0.0')).toBe('refused');
    expect(await check(path('main.bin'), 'lamps', 'MCU', '2.0.0')).toBe('refused');
    expect(await check(path('main.bin'), 'lamps', 'default', '2.0.1')).toBe('refused');
  });

  it('can be trusted no more', async () => {
    const publicKey = (await readFile(path('release.key.pub'), 'utf8')).trim();
    await ferry(['product', 'trust', 'lamps', path('release.key.pub'), ...session]);
    expect((await ferry(['product', 'untrust', 'lamps', 'ffffffffffffffff', ...session])).exitCode).toBe(1);
    expect((await ferry(['product', 'untrust', 'lamps', keyIdOf(publicKey), ...session])).exitCode).toBe(0);
    expect((await world.records.getProduct('lamps'))?.trustedKeys).toEqual([]);
  });
});

describe('Commands of those who keep the service safe', () => {
  it('make, list and revoke tokens; show, export and verify the audit log', async () => {
    const world = await World.open();
    const { url } = await world.listen();
    const session = ['--url', url, '--token', 'the-admin-token-of-this-test'];
    await world.product();
    const made = await ferry(['token', 'create', 'ada', '--role', 'operator', '--expires', '90d', ...session]);
    const [token = ''] = made.out.split('\n');
    expect(token).toMatch(/^ferry_/);
    const rotated = await ferry(['device', 'rotate', 'lamps', 'lamp-1', '--url', url, '--token', token]);
    expect(rotated.out).toContain('lamp-1');
    expect((await ferry(['device', 'revoke', 'lamps', 'lamp-1', '--url', url, '--token', token])).exitCode).toBe(0);
    expect((await ferry(['devices', 'lamps', ...session])).out).toMatch(/lamp-1 .* revoked /);
    expect((await ferry(['device', 'restore', 'lamps', 'lamp-1', '--url', url, '--token', token])).exitCode).toBe(0);
    const refused = await ferry(['token', 'list', '--url', url, '--token', token]);
    expect(refused).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining('use a token with the role admin') as string,
    });
    const list = JSON.parse((await ferry(['token', 'list', '--json', ...session])).out) as { items: { id: string }[] };
    expect((await ferry(['token', 'revoke', list.items[0]?.id ?? '', ...session])).exitCode).toBe(0);
    expect((await ferry(['audit', '--actor', 'ada', ...session])).out).toContain('device.rotate-secret');
    expect((await ferry(['audit', '--csv', ...session])).out).toContain('id,at,actor');
    const verified = await ferry(['audit', 'verify', ...session]);
    const hash = /: ([0-9a-f]{64})/.exec(verified.out)?.[1] ?? '';
    expect(verified.out).toContain('all as they were written');
    expect((await ferry(['audit', 'verify', '--expect', hash, ...session])).exitCode).toBe(0);
    expect((await ferry(['audit', 'verify', '--expect', 'ab'.repeat(32), ...session])).exitCode).toBe(1);

    const archive = join(folder, 'audit.jsonl');
    const none = await ferry(['audit', 'archive', archive, '--older-than', '1d', ...session]);
    expect(none.out).toMatch(/No entry is older/);
    const moved = await ferry(['audit', 'archive', archive, '--older-than', '0s', ...session]);
    expect(moved.out).toMatch(/are in .*audit\.jsonl and no longer in the service/);
    expect((await ferry(['audit', 'verify', '--archive', archive, '--expect', hash, ...session])).out).toMatch(
      /entries in the archives, \d+ after them, all as they were written/,
    );
    expect((await ferry(['audit', 'verify', ...session])).out).toMatch(/are archived \(--archive checks them\)/);
    expect((await ferry(['audit', 'archive', archive, '--older-than', '1d', ...session])).exitCode).toBe(1);
    await world.close();
  });

  it('make a TLS set, once', async () => {
    const made = await ferry(['tls', 'create', '--out', path('tls'), '--devices', 'lamp-1&lamps']);
    expect(made.out).toContain('FERRY_TLS_CERT');
    expect((await stat(path('tls/server.key'))).mode & 0o777).toBe(0o600);
    expect((await ferry(['tls', 'create', '--out', path('tls')])).exitCode).toBe(1);
  });

  it('add a key for device secrets, which seals from the next start on', async () => {
    const env = { FERRY_DATA_DIR: path('data') };
    await rm(path('data'), { recursive: true, force: true });
    await (await import('node:fs/promises')).mkdir(path('data'));
    expect((await ferry(['keys', 'rotate'], env)).exitCode).toBe(0);
    expect((await readFile(path('data/secret-keys'), 'utf8')).trim().split('\n')).toHaveLength(2);
    expect((await stat(path('data/secret-keys'))).mode & 0o777).toBe(0o600);
  });
});
