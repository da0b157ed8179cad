import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  cancelled,
  failed,
  initialState,
  isOpen,
  notified,
  progressed,
  succeeded,
  unreachable,
  type DeviceUpdateState,
} from '../../../domain/device-update.js';
import { countOf } from '../../../domain/update-task.js';
import type { DeviceUpdateRecord, Records, TaskRecord } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import { updatesOf, type Ground } from './ground.js';

/** What the run does; it knows nothing of the reports that only the records have. */
const RUN: Readonly<Record<string, (state: DeviceUpdateState, atMs: number, step: number) => DeviceUpdateState>> = {
  begun: (state) => state,
  notified,
  unreachable,
  progressed: (state, atMs, step) => progressed(state, step, atMs),
  succeeded: (state, atMs) => succeeded(state, atMs),
  failed: (state, atMs) => failed(state, 'stalled', atMs),
  cancelled: (state, atMs) => cancelled(state, atMs, 'by hand'),
};
/** What comes from devices and operators meanwhile. */
const OTHERS = ['report', 'failure', 'version', 'cancel-device', 'cancel-task', 'end-task'] as const;

const DEVICES = ['a', 'b', 'c'] as const;
const event = fc.record({
  deviceName: fc.constantFrom(...DEVICES),
  // Ends are rare: before one, everything else has to have happened in every order.
  what: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom('begun', 'notified', 'unreachable', 'progressed') },
    { weight: 6, arbitrary: fc.constant('report') },
    { weight: 1, arbitrary: fc.constantFrom('succeeded', 'failed', 'cancelled') },
    { weight: 2, arbitrary: fc.constantFrom(...OTHERS) },
  ),
  step: fc.oneof(fc.integer({ min: 0, max: 99 }), fc.constant(100)),
});
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never;
/** The events of a tick are written at once: they share a transaction. */
const ticks = fc.array(
  fc.record({ events: fc.array(event, { maxLength: 6 }), pageLimit: fc.integer({ min: 1, max: 4 }) }),
  {
    maxLength: 12,
  },
);

export function describeAnyEvents(ground: () => Ground): void {
  describe('after any events, in any order and at once', () => {
    let records: Records;
    let build: Builder;
    beforeEach(() => {
      ({ records, build } = ground());
    });

    it('counts equal rows, what has ended stays, progress never falls, and a follower of changes sees the same', async () => {
      const firmwareId = await build.firmware('2.0.0');
      await fc.assert(
        fc.asyncProperty(ticks, async (played) => {
          const names = new Map(DEVICES.map((name) => [name as string, build.id(name)]));
          await build.devices([...names.values()]);
          const start = await records.lastChange();
          const task = await build.verification(firmwareId, [...names.values()]);
          const player = new Player(records, task, names);
          const follower = new Follower(records, task.id, start);
          let before = await updatesOf(records, task);
          for (const { events, pageLimit } of played) {
            await Promise.all(events.map((one) => player.play(one)));
            const rows = await updatesOf(records, task);
            rows.forEach((row, i) => expectAllowed(before[i] as DeviceUpdateRecord, row));
            const now = (await records.getTask(task.id)) as TaskRecord;
            expect(now.counts).toEqual(countsOf(rows));
            expect(new Set(rows.map(({ change }) => change)).size).toBe(rows.length);
            await follower.catchUp(pageLimit);
            expect({ task: follower.task, rows: follower.rows() }).toEqual({ task: now, rows });
            before = rows;
          }
          await records.taskEnded(task.id, 'cancelled', 9_999);
        }),
        { numRuns: 60 },
      );
    });
  });
}

class Player {
  private readonly states = new Map<string, DeviceUpdateState>();
  private atMs = 10;

  constructor(
    private readonly records: Records,
    private readonly task: TaskRecord,
    private readonly names: ReadonlyMap<string, string>,
  ) {}

  async play({ deviceName: name, what, step }: Event): Promise<unknown> {
    const { records, task } = this;
    const atMs = ++this.atMs;
    const deviceName = this.names.get(name) ?? '';
    const key = { productKey: task.firmware.productKey, deviceName };
    const run = RUN[what];
    if (run) {
      const state = run(this.states.get(name) ?? initialState(atMs), atMs, step);
      this.states.set(name, state);
      return records.recordDeviceUpdate(task.id, key, state, 'run');
    }
    const refused = () => undefined;
    switch (what as (typeof OTHERS)[number]) {
      case 'report':
        return records.progressReported(key, { module: null, step, atMs });
      case 'failure':
        return records.failureReported(key, { module: null, cause: 'download-failed', description: '', atMs });
      case 'version':
        return records.versionReported(key, { module: 'default', version: '1.0.0', atMs });
      case 'cancel-device':
        return records.requestDeviceCancel(task.id, deviceName, atMs).catch(refused);
      case 'cancel-task':
        return records.requestTaskCancel(task.id, atMs).catch(refused);
      case 'end-task':
        return records.taskEnded(task.id, 'completed', atMs);
    }
  }
}

/** Keeps a copy by `changesSince` alone, as a live page does. */
class Follower {
  task: TaskRecord | undefined;
  private readonly copies = new Map<number, DeviceUpdateRecord>();

  constructor(
    private readonly records: Records,
    private readonly taskId: string,
    private change: number,
  ) {}

  async catchUp(limit: number): Promise<void> {
    for (let more = true; more;) {
      const page = await this.records.changesSince(this.change, this.taskId, limit);
      expect(page.change).toBeGreaterThanOrEqual(this.change);
      expect(Math.max(page.tasks.length, page.deviceUpdates.length)).toBeLessThanOrEqual(limit);
      for (const changed of page.tasks) this.task = changed;
      for (const update of page.deviceUpdates) this.copies.set(update.ordinal, update);
      ({ change: this.change, more } = page);
    }
  }

  rows(): DeviceUpdateRecord[] {
    return [...this.copies.values()].sort((a, b) => a.ordinal - b.ordinal);
  }
}

function expectAllowed(before: DeviceUpdateRecord, after: DeviceUpdateRecord): void {
  if (!isOpen(before.status)) {
    expect(after).toEqual(before);
    return;
  }
  if (before.status === 'upgrading') expect(['upgrading', 'completed', 'cancelled']).toContain(after.status);
  expect(after.step ?? -1).toBeGreaterThanOrEqual(before.step ?? -1);
  expect(after.lastProgressAtMs ?? 0).toBeGreaterThanOrEqual(before.lastProgressAtMs ?? 0);
  expect(after.startedAtMs ?? Infinity).toBeLessThanOrEqual(before.startedAtMs ?? Infinity);
  expect(after.hundredAtMs ?? Infinity).toBeLessThanOrEqual(before.hundredAtMs ?? Infinity);
}

function countsOf(rows: readonly DeviceUpdateRecord[]): TaskRecord['counts'] {
  const counts = { pending: 0, notified: 0, upgrading: 0, succeeded: 0, failed: 0, cancelled: 0 };
  for (const { status, outcome } of rows) counts[countOf(status, outcome)]++;
  return { ...counts, total: rows.length };
}
