import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { randomBytes } from 'node:crypto';
import { createSealer } from '../../records/sealing.js';
import { openSqliteRecords } from '../../records/sqlite/sqlite-records.js';
import { openTestRecords, type TestRecords } from '../support/records.js';
import { PRODUCT, World, type ProblemBody } from './world.js';

let world: World;
let opened: TestRecords;
let cut: string[];
beforeEach(async () => {
  cut = [];
  opened = await openTestRecords();
  world = await World.open({
    records: opened.records,
    cutOff: async ({ deviceName }) => void cut.push(deviceName),
  });
  await world.product();
});
afterEach(async () => {
  await world.close();
  await opened.close();
});

const lamp = { productKey: PRODUCT, deviceName: 'lamp-1' };
const path = (verb: string, name = 'lamp-1') => `/v1/products/${PRODUCT}/devices/${name}/${verb}`;
const stored = (): string[] => {
  const db = new Database(opened.path, { readonly: true });
  const secrets = db.prepare<[], string>('SELECT device_secret FROM devices ORDER BY device_name').pluck().all();
  db.close();
  return secrets;
};

describe('A device’s secret', () => {
  it('is sealed in the database', async () => {
    const secret = await world.records.deviceSecret(lamp);
    expect(secret).toMatch(/^\w{32}$/);
    for (const text of stored()) {
      expect(text).toMatch(/^sealed v1 [0-9a-f]{8} /);
      expect(text).not.toContain(secret);
    }
  });

  it('that was moved to another device, or changed, can’t be opened', async () => {
    const db = new Database(opened.path);
    const [first = ''] = stored();
    db.prepare("UPDATE devices SET device_secret = ? WHERE device_name = 'lamp-2'").run(first);
    await expect(world.records.deviceSecret({ ...lamp, deviceName: 'lamp-2' })).rejects.toThrow();
    const changed = `${first.slice(0, -6)}${first.at(-6) === 'A' ? 'B' : 'A'}${first.slice(-5)}`;
    db.prepare("UPDATE devices SET device_secret = ? WHERE device_name = 'lamp-1'").run(changed);
    await expect(world.records.deviceSecret(lamp)).rejects.toThrow();
    db.close();
  });

  it('of an older release, in plain, is sealed at the next start; and again by a newer key', async () => {
    const db = new Database(opened.path);
    db.exec("UPDATE devices SET device_secret = 'plain-secret-1' WHERE device_name = 'lamp-1'");
    expect(await world.records.deviceSecret(lamp)).toBe('plain-secret-1');
    expect(await world.records.resealSecrets()).toEqual({ resealed: 1, isDurable: true });
    expect(await world.records.resealSecrets()).toEqual({ resealed: 0, isDurable: true });
    expect(await world.records.deviceSecret(lamp)).toBe('plain-secret-1');
    db.close();
    const strangers = openSqliteRecords({
      path: opened.path,
      synchronous: 'normal',
      sealer: createSealer([randomBytes(32)]),
    });
    await expect(strangers.resealSecrets()).rejects.toThrow('key');
    await strangers.close();
  });

  it('is void once it is rotated, the new one is shown once, and the device is cut off', async () => {
    const before = await world.records.deviceSecret(lamp);
    const { status, body } = await world.post<{ deviceSecret: string }>(path('secret'), {});
    expect(status).toBe(200);
    expect(body.deviceSecret).not.toBe(before);
    expect(await world.records.deviceSecret(lamp)).toBe(body.deviceSecret);
    expect(cut).toEqual(['lamp-1']);
    expect(await world.post(path('secret'), { deviceSecret: 'chosen-by-hand-1' })).toMatchObject({
      body: { deviceSecret: 'chosen-by-hand-1' },
    });
    expect(await world.post(path('secret', 'nobody'), {})).toMatchObject({ status: 404 });
  });
});

describe('A registration that is repeated', () => {
  const register = () =>
    world.send<ProblemBody & { devices?: unknown[] }>('POST', `/v1/products/${PRODUCT}/devices`, {
      body: 'deviceName\nn1\nn2\n',
      headers: { 'content-type': 'text/csv', 'idempotency-key': 'of-two' },
    });

  it('answers both secrets, and after a rotation neither: a part would be taken for all', async () => {
    const first = await register();
    expect(first.status).toBe(201);
    expect(await register()).toMatchObject({ status: 201, body: first.body });
    await world.post(path('secret', 'n1'), {});
    const { status, body } = await register();
    expect({ status, code: body.code }).toEqual({ status: 409, code: 'registration-changed' });
    expect(body.detail).toMatch(
      /2 device\(s\) already, and 1 of them got another secret or name since, or were deleted/,
    );
    await world.post(path('secret', 'n2'), {});
    expect((await register()).status).toBe(409);
  });
});

describe('A revoked device', () => {
  it('has no secret to sign in by, until it is restored', async () => {
    const { body } = await world.post<{ revokedAt: string | null }>(path('revoke'));
    expect(body.revokedAt).toBeTruthy();
    expect(cut).toEqual(['lamp-1']);
    expect(await world.records.deviceSecret(lamp)).toBeUndefined();
    expect((await world.post<{ revokedAt: string | null }>(path('restore'))).body.revokedAt).toBeNull();
    expect(await world.records.deviceSecret(lamp)).toBeDefined();
    expect(await world.post(path('revoke', 'nobody'))).toMatchObject({ status: 404 });
  });
});
