import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Records } from '../../records/records.js';
import { adminToken } from '../../worker/admin-token.js';
import { loadConfig } from '../../worker/config.js';
import { openRecords, sealSecrets, secretKeysOf } from '../../worker/records.js';
import { addSecretKey, parseKeyFile } from '../../worker/secret-keys.js';
import { withStartedRecords } from '../support/started-records.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ferry-keys-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const LAMP = { productKey: 'lamp', deviceName: 'a' };

const started = <T>(dataDir: string, use: (records: Records) => Promise<T>): Promise<T> =>
  withStartedRecords({ FERRY_DATA_DIR: dataDir }, use);
const secret = (dataDir: string) => started(dataDir, (records) => records.deviceSecret(LAMP));
const keyFile = (): string => join(folder, 'secret-keys');

async function registered(): Promise<void> {
  await started(folder, async (records) => {
    await records.createProduct({ productKey: 'lamp', name: 'Lamp', createdAtMs: 1 });
    await records.registerDevices('lamp', [{ deviceName: 'a', deviceSecret: 'the-secret', protocol: 'mqtt' }], 1);
  });
}

/** What the disk has if the power goes now: files that were synced. The write-ahead log is not among them. */
async function afterPowerCut(): Promise<string> {
  const left = join(folder, 'left');
  await mkdir(left);
  for (const name of ['ferry.db', 'secret-keys']) await copyFile(join(folder, name), join(left, name));
  return left;
}

describe('a rotation of the key of device secrets', () => {
  beforeEach(registered);

  it('seals everything by the new key at the next start, and forgets the older one', async () => {
    const before = await readFile(keyFile(), 'utf8');
    addSecretKey(keyFile());
    expect(await secret(folder)).toBe('the-secret');
    expect(parseKeyFile(keyFile())).toHaveLength(1);
    expect(await readFile(keyFile(), 'utf8')).not.toBe(before);
  });

  it('loses no secret in a power cut right after the older key has gone', async () => {
    addSecretKey(keyFile());
    const left = await started(folder, () => afterPowerCut());
    expect(parseKeyFile(join(left, 'secret-keys'))).toHaveLength(1);
    expect(await secret(left)).toBe('the-secret');
  });

  it('keeps the older key as long as a reader keeps the sealed secrets from being written back', async () => {
    addSecretKey(keyFile());
    const reader = new Database(join(folder, 'ferry.db'));
    reader.exec('BEGIN');
    reader.prepare('SELECT count(*) FROM devices').get();
    const left = await started(folder, () => afterPowerCut());
    reader.close();
    expect(parseKeyFile(join(left, 'secret-keys'))).toHaveLength(2);
    expect(await secret(left)).toBe('the-secret');
    expect(await secret(folder)).toBe('the-secret');
    expect(parseKeyFile(keyFile())).toHaveLength(1);
  });

  it('that comes while a service starts loses neither the secrets nor the new key', async () => {
    addSecretKey(keyFile());
    const config = loadConfig({ FERRY_DATA_DIR: folder });
    const keys = secretKeysOf(config);
    const records = openRecords(config, keys);
    addSecretKey(keyFile());
    await sealSecrets(config, records, keys);
    await records.close();
    expect(parseKeyFile(keyFile())).toHaveLength(2);
    expect(await secret(folder)).toBe('the-secret');
  });

  it('is refused at the start when the key of the secrets is not there, with the way out', async () => {
    await rm(keyFile());
    await expect(secret(folder)).rejects.toThrow(/sealed by key [0-9a-f]{8}, which is not there\. Put that key back/);
  });
});

describe('the file of a key or a token', () => {
  it('is written over what a killed process has left, for its owner only', async () => {
    await writeFile(`${keyFile()}.new`, 'half a', { mode: 0o644 });
    await registered();
    expect((await stat(keyFile())).mode & 0o777).toBe(0o600);
    await expect(stat(`${keyFile()}.new`)).rejects.toThrow('ENOENT');
    const path = join(folder, 'admin-token');
    await writeFile(`${path}.new`, 'half a', { mode: 0o644 });
    const { token } = await adminToken(path, undefined);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await adminToken(path, undefined)).toEqual({ token, isNew: false });
  });

  it('is refused when others may read it', async () => {
    const path = join(folder, 'admin-token');
    await adminToken(path, undefined);
    await chmod(path, 0o644);
    await expect(adminToken(path, undefined)).rejects.toThrow(`chmod 600 ${path}`);
  });

  it('that can’t be read is not taken for one that is not there', async () => {
    await mkdir(join(folder, 'admin-token'));
    await expect(adminToken(join(folder, 'admin-token'), undefined)).rejects.toThrow('EISDIR');
  });
});
