import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  cancelled,
  failed,
  initialState,
  notified,
  progressed,
  succeeded,
  unreachable,
  type DeviceUpdateState,
} from '../../../domain/device-update.js';
import type { DeviceUpdateRecord, Records } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import { updatesOf, type Ground } from './ground.js';

export function describeCounts(ground: () => Ground): void {
  describe('counts', () => {
    let records: Records;
    let build: Builder;
    beforeEach(() => {
      ({ records, build } = ground());
    });

    type Step = (state: DeviceUpdateState, atMs: number) => DeviceUpdateState;
    const steps: Record<string, Step> = {
      notified,
      unreachable,
      progressed: (state, atMs) => progressed(state, atMs % 101, atMs),
      succeeded: (state, atMs) => succeeded(state, atMs),
      failed: (state, atMs) => failed(state, 'stalled', atMs),
      cancelled: (state, atMs) => cancelled(state, atMs, 'by hand'),
    };

    it('equal the rows after any events, and each failure is counted under its cause', async () => {
      const names = ['a', 'b', 'c', 'd'];
      await build.devices(names);
      const id = await build.firmware('2.0.0');
      const event = fc.tuple(fc.constantFrom(...names), fc.constantFrom(...Object.keys(steps)));
      await fc.assert(
        fc.asyncProperty(fc.array(event, { maxLength: 25 }), async (events) => {
          const task = await build.verification(id, names);
          const states = new Map(names.map((name) => [name, initialState(1)]));
          await Promise.all(
            events.map(([deviceName, step], i) => {
              const state = (steps[step] as Step)(states.get(deviceName) ?? initialState(1), i + 2);
              states.set(deviceName, state);
              return records.recordDeviceUpdate(task.id, { productKey: build.productKey, deviceName }, state, 'run');
            }),
          );
          const rows = await updatesOf(records, task);
          const count = (wanted: (row: DeviceUpdateRecord) => boolean) => rows.filter(wanted).length;
          const counts = {
            pending: count(({ status }) => status === 'pending'),
            notified: count(({ status }) => status === 'notified'),
            upgrading: count(({ status }) => status === 'upgrading'),
            succeeded: count(({ outcome }) => outcome === 'succeeded'),
            failed: count(({ outcome }) => outcome === 'failed'),
            cancelled: count(({ status }) => status === 'cancelled'),
            total: names.length,
          };
          expect((await records.getTask(task.id))?.counts).toEqual(counts);
          expect(await records.countFailuresByCause(task.id)).toEqual(
            counts.failed > 0 ? { stalled: counts.failed } : {},
          );
          await records.taskEnded(task.id, 'completed', 99);
        }),
        { numRuns: 40 },
      );
    });
  });
}
