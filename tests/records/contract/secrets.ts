import { beforeEach, describe, expect, it } from 'vitest';
import type { Records } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import { allPages, type Ground } from './ground.js';

/** Which devices may sign in, whose signatures firmware needs, and what a device runs. */
export function describeSecrets(ground: () => Ground): void {
  describe('what signs in, what is signed, and what runs', () => {
    let records: Records;
    let build: Builder;
    beforeEach(async () => {
      ({ records, build } = ground());
      await build.devices(['a', 'b']);
    });
    const key = (deviceName: string, productKey = build.productKey) => ({ productKey, deviceName });

    describe('a device’s secret', () => {
      it('is the one that it was registered with; strangers have none', async () => {
        expect(await records.deviceSecret(key('a'))).toBe('secret-of-a');
        expect(await records.deviceSecret(key('x'))).toBeUndefined();
        expect(await records.deviceSecret(key('a', 'nothing'))).toBeUndefined();
      });

      it('is another one after a rotation, of this device only', async () => {
        expect(await records.rotateDeviceSecret(key('a'), 'another-secret')).toMatchObject({ deviceName: 'a' });
        expect(await records.deviceSecret(key('a'))).toBe('another-secret');
        expect(await records.deviceSecret(key('b'))).toBe('secret-of-b');
        await expect(records.rotateDeviceSecret(key('x'), 'another-secret')).rejects.toMatchObject({
          code: 'not-found',
        });
      });

      it('is not given for a revoked device, until it is restored', async () => {
        expect(await records.revokeDevice(key('a'), 5)).toMatchObject({ revokedAtMs: 5 });
        expect(await records.deviceSecret(key('a'))).toBeUndefined();
        expect(await records.deviceSecret(key('b'))).toBe('secret-of-b');
        expect(await records.revokeDevice(key('a'), null)).toMatchObject({ revokedAtMs: null });
        expect(await records.deviceSecret(key('a'))).toBe('secret-of-a');
        await expect(records.revokeDevice(key('x'), 5)).rejects.toMatchObject({ code: 'not-found' });
      });

      it('is sealed already by the newest key when it was registered under it', async () => {
        expect(await records.resealSecrets()).toMatchObject({ resealed: 0 });
        expect(await records.deviceSecret(key('a'))).toBe('secret-of-a');
      });
    });

    describe('a product', () => {
      it('is found by its key, and listed newest first', async () => {
        const products = [2, 3, 3].map((createdAtMs) => ({ productKey: build.id('p'), name: 'x', createdAtMs }));
        for (const product of products) await records.createProduct(product);
        const [oldest = products[0]] = products;
        expect(await records.getProduct(oldest?.productKey ?? '')).toMatchObject({ ...oldest, trustedKeys: [] });
        expect(await records.getProduct('nothing')).toBeUndefined();
        const listed = (await allPages((page) => records.listProducts(page), 1)).map(({ productKey }) => productKey);
        expect(listed.slice(2)).toEqual([products[0]?.productKey, build.productKey]);
        expect(listed).toHaveLength(4);
      });

      const trusted = { keyId: '0123456789abcdef', publicKey: 'x' };
      const signed = (signatureKeyId: string | null, version: string) =>
        records.addFirmware(
          {
            ...{
              id: build.id('f'),
              productKey: build.productKey,
              name: 'lamp',
              module: 'default',
              version,
              sizeBytes: 1,
            },
            ...{ signMethod: 'SHA256', sign: 'ab', sha256: 'ab', createdAtMs: 1 },
            ...{ signature: signatureKeyId && 'signature', signatureKeyId },
          },
          { firmwareMax: 100 },
        );

      it('that trusts a key takes only firmware that is signed by it, for tasks too', async () => {
        const { value: unsigned } = await signed(null, '2.0.0');
        const changed = await records.trustKeys(build.productKey, (before) => [...before, trusted]);
        expect(changed.trustedKeys).toEqual([trusted]);
        expect((await records.getProduct(build.productKey))?.trustedKeys).toEqual([trusted]);
        for (const keyId of [null, 'another-key']) {
          await expect(signed(keyId, '3.0.0')).rejects.toMatchObject({ code: 'firmware-signature-invalid' });
        }
        await expect(build.verification(unsigned.id, ['a'])).rejects.toMatchObject({
          code: 'firmware-signature-invalid',
        });
        const { value: good } = await signed(trusted.keyId, '3.0.0');
        await expect(build.verification(good.id, ['a'])).resolves.toMatchObject({ kind: 'verification' });
      });

      it('keeps its keys when the change of them is refused', async () => {
        await records.trustKeys(build.productKey, () => [trusted]);
        const refuse = () => {
          throw new Error('no');
        };
        await expect(records.trustKeys(build.productKey, refuse)).rejects.toThrow('no');
        expect((await records.getProduct(build.productKey))?.trustedKeys).toEqual([trusted]);
        await expect(records.trustKeys('nothing', () => [])).rejects.toMatchObject({ code: 'not-found' });
      });
    });

    describe('what a device runs', () => {
      it('is told by module, since when', async () => {
        const report = (module: string, version: string, atMs: number) =>
          records.versionReported(key('a'), { module, version, atMs });
        await report('default', '1.0.0', 3);
        await report('mcu', '7', 4);
        expect(await records.installedVersion(key('a'), 'default')).toEqual({
          module: 'default',
          version: '1.0.0',
          reportedAtMs: 3,
        });
        expect(await records.installedVersion(key('a'), 'mcu')).toMatchObject({ version: '7' });
        expect(await records.installedVersion(key('a'), 'radio')).toBeUndefined();
        expect(await records.installedVersion(key('b'), 'default')).toBeUndefined();
      });
    });
  });
}
