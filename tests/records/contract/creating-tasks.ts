import { beforeEach, describe, expect, it } from 'vitest';
import { FerryError, type ErrorCode } from '../../../domain/errors.js';
import { VERIFICATION_DEVICES_MAX } from '../../../domain/policy.js';
import type { Records, TaskRecord } from '../../../records/records.js';
import { Builder } from '../builder.js';
import { allPages, updatesOf, type Ground } from './ground.js';

export function describeCreatingTasks(ground: () => Ground): void {
  describe('creating a task', () => {
    let records: Records;
    let build: Builder;
    beforeEach(() => {
      ({ records, build } = ground());
    });

    beforeEach(async () => {
      await build.devices(['a', 'b', 'c', 'unknown-version']);
      await build.runs('a', '1.0.0');
      await build.runs('b', '1.0.0');
      await build.runs('c', '1.1.0');
    });

    it('takes every device that runs one of the source versions, in the order of names', async () => {
      const task = await build.batch(await build.verified('2.0.0'), ['1.0.0', '1.1.0']);
      const updates = await updatesOf(records, task);
      expect(updates.map(({ deviceName, ordinal }) => [deviceName, ordinal])).toEqual([['a', 0], ['b', 1], ['c', 2]]); // prettier-ignore
      expect(task.counts).toMatchObject({ pending: 3, total: 3 });
    });

    it('lets exactly one of 50 simultaneous batches name a version; each refusal names the winner [seed: conflict]', async () => {
      const ids = await Promise.all(Array.from({ length: 50 }, (_, i) => build.verified(`2.0.${i}`)));
      const results = await Promise.allSettled(
        ids.map((id, i) => build.batch(id, i % 2 === 0 ? ['1.0.0'] : ['1.0.0', '1.1.0'])),
      );
      const won = results.filter((result) => result.status === 'fulfilled');
      expect(won).toHaveLength(1);
      const winner = won[0]?.value as TaskRecord;
      for (const result of results.filter((result) => result.status === 'rejected')) {
        const refusal = result.reason as FerryError;
        expect(refusal.code).toBe('update-task-conflict');
        expect(refusal.extra.conflicts).toMatchObject([{ taskId: winner.id, firmware: { id: winner.firmware.id } }]);
        expect(refusal.message).toContain(winner.id);
      }
      expect((await allPages((page) => records.listTasks({ kind: 'batch' }, page), 100)).map(({ id }) => id)).toEqual([
        winner.id,
      ]);
    });

    it('refuses A→C while A→B is open, and takes it when that has ended', async () => {
      const first = await build.batch(await build.verified('2.0.0'), ['1.0.0']);
      const other = await build.verified('3.0.0');
      await expect(build.batch(other, ['1.1.0', '1.0.0'])).rejects.toMatchObject({
        code: 'update-task-conflict',
        extra: { conflicts: [{ taskId: first.id, sourceVersions: ['1.0.0'] }] },
      });
      await expect(build.batch(other, ['1.1.0'])).resolves.toMatchObject({ sourceVersions: ['1.1.0'] });
      await records.taskEnded(first.id, 'completed', 9);
      await expect(build.batch(await build.verified('4.0.0'), ['1.0.0'])).resolves.toBeDefined();
    });

    it('lets another product, another module and verifications name what they like', async () => {
      await build.batch(await build.verified('2.0.0'), ['1.0.0']);
      await expect(build.verification(await build.firmware('3.0.0'), ['a'])).resolves.toBeDefined();
      await build.runs('a', '1.0.0', 'mcu');
      await expect(build.batch(await build.verified('2.0.0', 'mcu'), ['1.0.0'])).resolves.toBeDefined();
      const elsewhere = new Builder(records);
      await elsewhere.product();
      await elsewhere.devices(['a']);
      await elsewhere.runs('a', '1.0.0');
      await expect(elsewhere.batch(await elsewhere.verified('2.0.0'), ['1.0.0'])).resolves.toBeDefined();
    });

    const refused = async (
      creation: Promise<unknown>,
    ): Promise<{ code: ErrorCode; extra: unknown; message: string }> => {
      const error: unknown = await creation.catch((e: unknown) => e);
      expect(error).toBeInstanceOf(FerryError);
      return error as FerryError;
    };

    it('refuses a firmware that is not verified, deleted or unknown', async () => {
      expect(await refused(build.batch(await build.firmware('2.0.0'), ['1.0.0']))).toMatchObject({
        code: 'firmware-not-verified',
      });
      const deleted = await build.verified('3.0.0');
      await records.deleteFirmware(deleted, 1);
      expect(await refused(build.batch(deleted, ['1.0.0']))).toMatchObject({ code: 'firmware-deleted' });
      expect(await refused(build.verification('nobody', ['a']))).toMatchObject({ code: 'not-found' });
    });

    it('refuses listed devices one by one: unknown, twice, on another version, without a version', async () => {
      const id = await build.verified('2.0.0');
      const names = ['a', 'a', 'c', 'nobody', 'unknown-version'];
      const { extra } = await refused(build.batch(id, ['1.0.0'], names));
      expect(extra).toEqual({
        devices: [
          { deviceName: 'a', problem: 'is listed twice' },
          { deviceName: 'c', problem: expect.stringContaining('1.1.0') as unknown },
          { deviceName: 'nobody', problem: 'does not exist' },
          { deviceName: 'unknown-version', problem: expect.stringContaining('not reported') as unknown },
        ],
      });
      await expect(build.verification(id, ['unknown-version'])).resolves.toBeDefined();
    });

    it('leaves revoked devices out, and refuses them when they are listed', async () => {
      await records.revokeDevice({ productKey: build.productKey, deviceName: 'b' }, 5);
      const id = await build.verified('2.0.0');
      expect(await records.previewBatch(build.newBatch(id, ['1.0.0']))).toMatchObject({ devices: 1, refusal: null });
      expect((await records.previewBatch(build.newBatch(id, ['1.0.0', '20240115']))).unorderedVersions).toEqual([
        '20240115',
      ]);
      expect((await refused(build.batch(id, ['1.0.0'], ['a', 'b']))).extra).toEqual({
        devices: [{ deviceName: 'b', problem: 'is revoked; restore it first' }],
      });
      expect((await refused(build.verification(id, ['b']))).code).toBe('devices-invalid');
      const task = await build.batch(id, ['1.0.0']);
      expect((await updatesOf(records, task)).map(({ deviceName }) => deviceName)).toEqual(['a']);
      await records.revokeDevice({ productKey: build.productKey, deviceName: 'c' }, 6);
      expect(await refused(build.batch(id, ['1.1.0']))).toMatchObject({ code: 'no-target-devices' });
    });

    it('refuses a downgrade unless the policy allows it, the own version, no version and no device', async () => {
      const id = await build.verified('1.0.5');
      expect(await refused(build.batch(id, ['1.1.0']))).toMatchObject({ code: 'downgrade-not-allowed' });
      expect(await refused(build.verification(id, ['c']))).toMatchObject({ code: 'downgrade-not-allowed' });
      expect(await refused(build.batch(id, ['1.0.5']))).toMatchObject({ code: 'invalid-request' });
      expect(await refused(build.batch(id, []))).toMatchObject({ code: 'invalid-request' });
      expect(await refused(build.batch(id, ['0.1']))).toMatchObject({ code: 'no-target-devices' });
      expect(await refused(build.verification(id, []))).toMatchObject({ code: 'invalid-request' });
      await expect(build.batch(id, ['1.1.0'], null, { allowDowngrade: true })).resolves.toBeDefined();
    });

    it('leaves nothing behind when it is refused: no task, no claim, no device update', async () => {
      const id = await build.verified('2.0.0');
      await refused(build.batch(id, ['1.0.0'], ['a', 'nobody']));
      await refused(build.batch(id, ['0.1', '1.0.0'], ['nobody']));
      expect((await records.listTasks({ kind: 'batch' }, { limit: 10 })).items).toEqual([]);
      await expect(build.batch(id, ['0.1', '1.0.0'])).resolves.toBeDefined();
    });

    it('names every task in conflict, each with its own versions', async () => {
      const [first, second] = [
        await build.batch(await build.verified('2.0.0'), ['1.0.0']),
        await build.batch(await build.verified('2.1.0'), ['1.1.0']),
      ];
      const { extra, message } = await refused(build.batch(await build.verified('3.0.0'), ['1.0.0', '1.1.0', '0.9']));
      expect((extra as { conflicts: unknown[] }).conflicts).toHaveLength(2);
      expect(extra).toMatchObject({
        conflicts: expect.arrayContaining([
          {
            taskId: first.id,
            firmware: { id: first.firmware.id, name: 'lamp', version: '2.0.0' },
            sourceVersions: ['1.0.0'],
          },
          {
            taskId: second.id,
            firmware: { id: second.firmware.id, name: 'lamp', version: '2.1.0' },
            sourceVersions: ['1.1.0'],
          },
        ]) as unknown,
      });
      expect(message).toContain(first.id);
      expect(message).toContain(second.id);
    });

    it('takes a version that is named twice once, and at most 100 devices for a verification', async () => {
      const id = await build.verified('2.0.0');
      expect(await build.batch(id, ['1.0.0', '1.0.0'])).toMatchObject({
        sourceVersions: ['1.0.0'],
        counts: { total: 2 },
      });
      const names = Array.from({ length: VERIFICATION_DEVICES_MAX + 1 }, (_, i) => `many-${i}`);
      await build.devices(names);
      expect(await refused(build.verification(id, names))).toMatchObject({
        code: 'invalid-request',
        extra: { errors: [{ field: 'deviceNames' }] },
      });
      await expect(build.verification(id, names.slice(1))).resolves.toBeDefined();
    });

    it('answers the same idempotency key with the same task', async () => {
      const id = await build.verified('2.0.0');
      const idempotency = { key: 'once', fingerprint: 'f' };
      const [first, second] = await Promise.all([
        records.createTask({ ...build.newBatch(id, ['1.0.0']), idempotency }),
        records.createTask({ ...build.newBatch(id, ['1.0.0']), idempotency }),
      ]);
      expect(second).toEqual({ value: first.value, replayed: true });
    });

    it('copes with 100,000 devices', async () => {
      const names = Array.from({ length: 100_000 }, (_, i) => `big-${String(i).padStart(6, '0')}`);
      await build.devices(names);
      await Promise.all(names.map((name) => build.runs(name, '9.0.0')));
      const task = await build.batch(await build.verified('10.0.0'), ['9.0.0']);
      expect(task.counts).toMatchObject({ pending: 100_000, total: 100_000 });
      const shard = await records.loadShard(task.id, 99_900, 100_100);
      expect(shard.map(({ deviceName }) => deviceName)).toEqual(names.slice(99_900));
    });
  });
}
