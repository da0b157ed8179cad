import { randomBytes } from 'node:crypto';
import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Records } from '../../../records/records.js';
import { backUp } from '../../../worker/backup/back-up.js';
import { restore } from '../../../worker/backup/restore.js';
import { addSecretKey } from '../../../worker/secret-keys.js';
import { withStartedRecords } from '../../support/started-records.js';
import { World } from './world.js';

let world: World;
beforeEach(async () => {
  world = await World.create();
  await started((records) =>
    records.registerDevices('lamp', [{ deviceName: 'a', deviceSecret: 'the-secret', protocol: 'mqtt' }], 1).then(),
  );
});
afterEach(async () => {
  vi.restoreAllMocks();
  await world.remove();
});

const started = <T>(use: (records: Records) => Promise<T>, env: NodeJS.ProcessEnv = world.env): Promise<T> =>
  withStartedRecords(env, use);
const secret = (env: NodeJS.ProcessEnv) =>
  started((records) => records.deviceSecret({ productKey: 'lamp', deviceName: 'a' }), env);
const keyFile = (): string => join(world.dataDir, 'secret-keys');
const elsewhere = (): NodeJS.ProcessEnv => ({ FERRY_DATA_DIR: world.path('elsewhere') });
const newKey = (): string => randomBytes(32).toString('base64');

describe('the keys in a backup', () => {
  it('open its secrets, also if the key is rotated and forgotten while it is made', async () => {
    const to = world.path('backup');
    let rotated: Promise<unknown> = Promise.resolve();
    addSecretKey(keyFile());
    const controller = new AbortController();
    let looks = 0;
    vi.spyOn(controller.signal, 'throwIfAborted').mockImplementation(() => {
      // Once the records have been copied and are being digested.
      if (++looks === 3) rotated = started(async () => undefined);
    });
    await backUp(world.env, { to, signal: controller.signal });
    await rotated;
    await restore(elsewhere(), { from: to });
    expect(await secret(elsewhere())).toBe('the-secret');
  });

  it('are refused when they open none of its secrets', async () => {
    const other = await World.create();
    addSecretKey(join(other.dataDir, 'secret-keys'));
    await rename(join(other.dataDir, 'secret-keys'), keyFile());
    await other.remove();
    await expect(backUp(world.env, { to: world.path('backup') })).rejects.toThrow(
      /could never be read again: .* is sealed by key [0-9a-f]{8}, which is not there\. .*FERRY_SECRET_KEY/,
    );
  });

  it('may be elsewhere, which it says', async () => {
    await rm(keyFile());
    expect(await backUp(world.env, { to: world.path('backup') })).toMatchObject({ keysElsewhere: true });
  });

  it('of the environment must be those of the service', async () => {
    const env = { ...world.env, FERRY_SECRET_KEY: newKey() };
    await expect(backUp(env, { to: world.path('backup') })).rejects.toThrow('as "ferry up" has it');
  });
});

describe('a restore', () => {
  it('is refused when the keys that the service will have don’t open the secrets, with the way out', async () => {
    const to = world.path('backup');
    await backUp(world.env, { to });
    await expect(restore({ ...elsewhere(), FERRY_SECRET_KEY: newKey() }, { from: to })).rejects.toThrow(
      'Unset FERRY_SECRET_KEY: the keys are in the backup',
    );
    const key = (await readFile(keyFile(), 'utf8')).trim();
    await rm(keyFile());
    const without = world.path('without');
    await backUp(world.env, { to: without });
    await expect(restore(elsewhere(), { from: without })).rejects.toThrow(/are not in it\. Set FERRY_SECRET_KEY/);
    await expect(restore({ ...elsewhere(), FERRY_SECRET_KEY: newKey() }, { from: without })).rejects.toThrow(
      'Put the key of that time behind the others',
    );
    const env = { ...elsewhere(), FERRY_SECRET_KEY: `${newKey()},${key}` };
    await restore(env, { from: without });
    expect(await secret(env)).toBe('the-secret');
  });

  it('tells what is valid again that may have been taken back since', async () => {
    const to = world.path('backup');
    await started(async (records) => {
      const token = {
        role: 'viewer',
        productKey: null,
        createdBy: 'admin',
        createdAtMs: 1,
        expiresAtMs: null,
      } as const;
      for (const name of ['ada', 'bob', 'old']) await records.addToken({ ...token, id: name, name, hash: name });
      await records.revokeToken('old', 2);
    });
    await backUp(world.env, { to });
    await started((records) => records.revokeToken('bob', 3));
    const { validAgain } = await restore(elsewhere(), { from: to });
    expect(validAgain).toEqual({
      ...{ adminToken: true, tokens: ['ada', 'bob'], devices: 1, revokedDevices: 0, productsWithTrustedKeys: 0 },
    });
  });

  it('ends what lets somebody in without a token: sessions and sign-in links', async () => {
    const session = { principal: 'admin', credential: 'c', createdAtMs: 1, expiresAtMs: 1e15 };
    await started(async (records) => {
      await records.addSession({ ...session, hash: 'session' });
      await records.addSignInLink('link', 1e15);
    });
    const to = world.path('backup');
    await backUp(world.env, { to });
    await restore(elsewhere(), { from: to });
    await started(async (records) => {
      expect(await records.getSession('session', 2)).toBeUndefined();
      expect(await records.redeemSignInLink('link', { ...session, hash: 'new' })).toBe(false);
    }, elsewhere());
  });
});
