import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHash } from 'node:crypto';
import { generateSigningKey, keyIdOf, signFirmware } from '../../firmware/signature.js';
import { resolvePolicy } from '../../domain/policy.js';
import type { TrustedKey } from '../../records/records.js';
import { PRODUCT, World, type ProblemBody } from './world.js';

const FILE = Buffer.from('a firmware');
const SHA256 = createHash('sha256').update(FILE).digest('hex');

let world: World;
const maker = generateSigningKey();
beforeEach(async () => {
  world = await World.open();
  await world.product();
});
afterEach(() => world.close());

const trust = (...publicKeys: string[]) =>
  world.call<{ trustedKeys: { keyId: string }[] }>('PUT', `/v1/products/${PRODUCT}/trusted-keys`, { publicKeys });

const STATEMENT = { productKey: PRODUCT, module: 'default', version: '2.0.0', sizeBytes: FILE.length, sha256: SHA256 };
const signed = (change: Partial<typeof STATEMENT> = {}, key = maker) =>
  signFirmware(key.privateKey, { ...STATEMENT, ...change }).signature;
const add = (signature?: string, change: Record<string, string> = {}) =>
  world.upload<ProblemBody & { id: string; signature: { keyId: string; value: string } | null }>(
    { name: 'lamp', productKey: PRODUCT, version: '2.0.0', ...(signature !== undefined && { signature }), ...change },
    FILE,
  );

describe('A product that trusts a key', () => {
  it('takes firmware that is signed by it, and shows by which', async () => {
    expect((await trust(maker.publicKey)).body.trustedKeys).toEqual([
      { keyId: keyIdOf(maker.publicKey), publicKey: maker.publicKey },
    ]);
    const { status, body } = await add(signed());
    expect(status).toBe(201);
    expect(body.signature).toEqual({ keyId: keyIdOf(maker.publicKey), value: signed() });
  });

  it.each([
    ['no signature', undefined],
    ['the signature of another file', signed({ sha256: 'ab'.repeat(32) })],
    ['the signature of another size', signed({ sizeBytes: 11 })],
    ['the signature of another version', signed({ version: '2.0.1' })],
    ['the signature of another product', signed({ productKey: 'ovens' })],
    ['the signature of another module', signed({ module: 'MCU' })],
    ['the signature of a stranger', signed({}, generateSigningKey())],
  ])('refuses firmware with %s, and keeps nothing of it', async (_, signature) => {
    await trust(maker.publicKey);
    const { status, body } = await add(signature);
    expect({ status, code: body.code }).toEqual({ status: 422, code: 'firmware-signature-invalid' });
    expect(body.errors).toMatchObject([{ field: 'signature' }]);
    expect(await world.files()).toEqual([]);
  });

  it('refuses what is no signature at all', async () => {
    await trust(maker.publicKey);
    for (const signature of ['', 'nonsense', signed().slice(1), `${signed()}\n`]) {
      const { status, body } = await add(signature);
      expect({ status, code: body.code }).toEqual({ status: 400, code: 'invalid-request' });
    }
  });

  it('starts no task with firmware that was there unsigned, or whose key it trusts no more', async () => {
    const unsigned = await world.verifiedFirmware('1.5.0');
    await trust(maker.publicKey);
    const { body: firmware } = await add(signed());
    const start = async (id: string) => {
      const { status, body } = await world.post<ProblemBody>(`/v1/firmware/${id}/verifications`, {
        deviceNames: ['lamp-2'],
      });
      return status === 202 ? 'started' : body.code;
    };
    expect(await start(unsigned)).toBe('firmware-signature-invalid');
    expect(await start(firmware.id)).toBe('started');
    await trust(generateSigningKey().publicKey);
    expect(await start(firmware.id)).toBe('firmware-signature-invalid');
    const batch = await world.post<ProblemBody>(`/v1/firmware/${unsigned}/batch-updates`, {
      sourceVersions: ['1.0.0'],
    });
    expect(batch.body.code).toBe('firmware-signature-invalid');
  });

  it('takes unsigned firmware again when it trusts none', async () => {
    await trust(maker.publicKey);
    await trust();
    expect((await add()).status).toBe(201);
  });

  it.each(['', 'x', Buffer.alloc(31).toString('base64'), Buffer.alloc(33).toString('base64'), maker.privateKey])(
    'does not take %j for a public key',
    async (key) => {
      expect(await trust(key)).toMatchObject({ status: 400, body: { code: 'invalid-request' } });
    },
  );
});

describe('A product that trusts no key', () => {
  it('refuses a signature that it can’t check, rather than to keep it unchecked', async () => {
    expect((await add(signed())).body.code).toBe('firmware-signature-invalid');
  });
});

describe('One key of a product', () => {
  const keys = `/v1/products/${PRODUCT}/trusted-keys`;
  const [first, second, third] = [maker, generateSigningKey(), generateSigningKey()].map(({ publicKey }) => ({
    keyId: keyIdOf(publicKey),
    publicKey,
  })) as [TrustedKey, TrustedKey, TrustedKey];
  const addKey = ({ publicKey }: TrustedKey) => world.post<ProblemBody>(keys, { publicKey });
  const remove = ({ keyId }: TrustedKey) => world.call<ProblemBody>('DELETE', `${keys}/${keyId}`);
  const trustedNow = async () => (await world.records.getProduct(PRODUCT))?.trustedKeys.map(({ keyId }) => keyId);

  it('is added to those that are trusted already, once', async () => {
    expect(await addKey(first)).toMatchObject({ status: 200, body: { trustedKeys: [first] } });
    expect(await addKey(second)).toMatchObject({ status: 200, body: { trustedKeys: [first, second] } });
    expect(await addKey(first)).toMatchObject({ status: 200, body: { trustedKeys: [first, second] } });
  });

  it('is removed by its id', async () => {
    await trust(first.publicKey, second.publicKey);
    expect(await remove(first)).toMatchObject({ status: 200, body: { trustedKeys: [second] } });
    expect(await remove(first)).toMatchObject({ status: 404, body: { code: 'not-found' } });
    expect(await trustedNow()).toEqual([second.keyId]);
  });

  it('stays removed, whatever another admin adds at the same time', async () => {
    await trust(first.publicKey, second.publicKey);
    await Promise.all([remove(first), addKey(third), remove(second)]);
    expect(await trustedNow()).toEqual([third.keyId]);
  });

  it('is refused where there are eight', async () => {
    await trust(...Array.from({ length: 8 }, () => generateSigningKey().publicKey));
    expect(await addKey(first)).toMatchObject({ status: 400, body: { errors: [{ field: 'publicKey' }] } });
    expect(await trustedNow()).toHaveLength(8);
  });

  it('is none of a product that does not exist', async () => {
    expect(await world.post('/v1/products/nowhere/trusted-keys', { publicKey: first.publicKey })).toMatchObject({
      status: 404,
    });
  });
});

describe('Who sets the keys', () => {
  it('is an admin, and it is in the audit log with what was before', async () => {
    const { body } = await world.post<{ token: string }>('/v1/tokens', { name: 'Ada', role: 'operator' });
    const refused = await world.send('PUT', `/v1/products/${PRODUCT}/trusted-keys`, {
      headers: { authorization: `Bearer ${body.token}` },
    });
    expect(refused.status).toBe(403);
    await trust(maker.publicKey);
    await trust();
    const { body: log } = await world.get<{ items: unknown[] }>('/v1/audit?action=product.trust');
    expect(log.items).toMatchObject([
      { outcome: 'done', before: { trustedKeys: [{ publicKey: maker.publicKey }] }, after: { trustedKeys: [] } },
      { outcome: 'done', before: { trustedKeys: [] } },
      { outcome: 'forbidden', actor: 'Ada' },
    ]);
  });
});

describe('A product of rebuilt records', () => {
  const rebuilt = 'rebuilt-lamps';
  const upload = (signature?: string) =>
    world.upload<ProblemBody>(
      { name: 'lamp', productKey: rebuilt, version: '3.0.0', ...(signature !== undefined && { signature }) },
      FILE,
    );
  const decide = (publicKeys: string[]) =>
    world.call<{ trustUndecided: boolean }>('PUT', `/v1/products/${rebuilt}/trusted-keys`, { publicKeys });
  const verification = () =>
    world.call<ProblemBody>('POST', '/v1/firmware/firmware-of-before/verifications', { deviceNames: ['a'] });
  beforeEach(async () => {
    const firmware = {
      ...{ id: 'firmware-of-before', name: 'lamp', productKey: rebuilt, module: 'default', version: '2.0.0' },
      ...{ sizeBytes: 3, signMethod: 'SHA256' as const, sign: SHA256, sha256: SHA256, createdAtMs: 1, verifiedAtMs: 5 },
    } as const;
    await world.records.importTask({
      ...{ id: 'task-of-before', kind: 'verification', status: 'completed', sourceVersions: [], reinitiates: null },
      ...{ startedBy: 'admin', policy: resolvePolicy('verification'), runId: 'run', createdAtMs: 10, startedAtMs: 11 },
      ...{ endedAtMs: 12, cancelRequestedAtMs: null, endRequestedAtMs: null, firmware, deviceUpdates: [] },
    });
    const device = { deviceName: 'a', deviceSecret: 'the-secret', protocol: 'mqtt' } as const;
    await world.records.registerDevices(rebuilt, [device], 20);
  });

  it('takes no firmware and starts no task until somebody has decided, and says how to', async () => {
    for (const signature of [undefined, signed({ productKey: rebuilt, version: '3.0.0' })]) {
      const { status, body } = await upload(signature);
      expect({ status, code: body.code }).toEqual({ status: 409, code: 'trust-undecided' });
      expect(body.detail).toMatch(/ferry product trust rebuilt-lamps FILE.*--any.*PUT \/v1\/products/);
    }
    expect(await world.files()).toEqual([]);
    expect(await verification()).toMatchObject({ status: 409, body: { code: 'trust-undecided' } });
    const { body } = await world.call<{ items: unknown[] }>('GET', '/v1/products');
    expect(body.items).toContainEqual(expect.objectContaining({ productKey: rebuilt, trustUndecided: true }));
    expect(body.items).toContainEqual(expect.objectContaining({ productKey: PRODUCT, trustUndecided: false }));
  });

  it('takes any firmware once that is said, and only signed firmware once there is a key', async () => {
    expect(await decide([maker.publicKey])).toMatchObject({ status: 200, body: { trustUndecided: false } });
    expect((await upload()).body.code).toBe('firmware-signature-invalid');
    expect((await verification()).body.code).toBe('firmware-signature-invalid');
    expect(await decide([])).toMatchObject({ status: 200, body: { trustUndecided: false } });
    expect((await upload()).status).toBe(201);
    expect((await verification()).status).toBe(202);
  });
});
