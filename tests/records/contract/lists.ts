import { beforeEach, describe, expect, it } from 'vitest';
import { failed, initialState } from '../../../domain/device-update.js';
import type { Page, PageRequest, Records } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import { allPages, type Ground } from './ground.js';

export function describeLists(ground: () => Ground): void {
  describe('lists', () => {
    let records: Records;
    let build: Builder;
    beforeEach(() => {
      ({ records, build } = ground());
    });

    it('miss and repeat nothing when rows are added between pages', async () => {
      await build.devices(['b', 'd', 'f']);
      const first = await records.listDevices(build.productKey, {}, { limit: 2 });
      await build.devices(['a', 'e']);
      const rest = await records.listDevices(
        build.productKey,
        {},
        { limit: 10, cursor: first.nextCursor ?? undefined },
      );
      expect([...first.items, ...rest.items].map(({ deviceName }) => deviceName)).toEqual(['b', 'd', 'e', 'f']);
      expect(rest.nextCursor).toBeNull();
    });

    it.each([1, 2, 5])(
      'hold what was there at the start exactly once, however rows come between (pages of %d)',
      async (limit) => {
        await build.devices(['a']);
        const key = { productKey: build.productKey, deviceName: 'a' };
        const firmware: string[] = [];
        const tasks: string[] = [];
        const add = async () => {
          firmware.push(await build.firmware(`2.0.${firmware.length}`));
          const { id } = await build.verification(firmware.at(-1) ?? '', ['a']);
          tasks.push(id);
          await records.taskEnded(id, 'cancelled', 1);
        };
        for (let i = 0; i < 7; i++) await add();
        const [oldFirmware, oldTasks] = [[...firmware], [...tasks]];
        const between =
          <T>(list: (page: PageRequest) => Promise<Page<T>>) =>
          async (page: PageRequest) => {
            await add();
            return list(page);
          };
        const filter = { productKey: build.productKey };
        const listed = {
          firmware: await allPages(
            between((page) => records.listFirmware(filter, page)),
            limit,
          ),
          tasks: await allPages(
            between((page) => records.listTasks(filter, page)),
            limit,
          ),
          ofStatus: await allPages(
            between((page) => records.listTasks({ ...filter, status: 'cancelled' }, page)),
            limit,
          ),
          history: await allPages(
            between((page) => records.listDeviceHistory(key, page)),
            limit,
          ),
        };
        const old = (ids: readonly string[], olds: readonly string[]) => ids.filter((id) => olds.includes(id)).sort();
        expect(
          old(
            listed.firmware.map(({ id }) => id),
            oldFirmware,
          ),
        ).toEqual([...oldFirmware].sort());
        expect(
          old(
            listed.tasks.map(({ id }) => id),
            oldTasks,
          ),
        ).toEqual([...oldTasks].sort());
        expect(
          old(
            listed.ofStatus.map(({ id }) => id),
            oldTasks,
          ),
        ).toEqual([...oldTasks].sort());
        expect(listed.history.map(({ taskId }) => taskId).slice(-7)).toEqual([...oldTasks].reverse());
      },
    );

    it.each(['x', 'W10', 'eyJhIjoxfQ', Buffer.from('["a","b"]').toString('base64url')])(
      'refuse the cursor %j, which they did not give',
      async (cursor) => {
        const refusal = { code: 'invalid-request', extra: { errors: [{ field: 'cursor' }] } };
        await expect(records.listDeviceUpdates('t', {}, { limit: 1, cursor })).rejects.toMatchObject(refusal);
        await expect(records.listTasks({}, { limit: 1, cursor })).rejects.toMatchObject(refusal);
      },
    );

    it('are filtered by status, outcome and part of the name', async () => {
      await build.devices(['a-1', 'a-2', 'b-1']);
      const task = await build.verification(await build.firmware('2.0.0'), ['a-1', 'a-2', 'b-1']);
      const key = { productKey: build.productKey, deviceName: 'a-1' };
      await records.recordDeviceUpdate(task.id, key, failed(initialState(1), 'stalled', 2), 'r');
      const names = async (filter: Parameters<Records['listDeviceUpdates']>[1]) =>
        (await allPages((page) => records.listDeviceUpdates(task.id, filter, page), 1)).map(
          ({ deviceName }) => deviceName,
        );
      expect(await names({ outcome: 'failed' })).toEqual(['a-1']);
      expect(await names({ status: 'pending' })).toEqual(['a-2', 'b-1']);
      expect(await names({ search: 'a-' })).toEqual(['a-1', 'a-2']);
      expect(await names({ status: 'pending', search: '%' })).toEqual([]);
    });
  });
}
