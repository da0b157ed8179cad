import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TaskRecord } from '../../records/records.js';
import { PROJECT_FOLDER } from '../../worker/paths.js';
import { startRealTimeWorld, type World } from '../workflows/world.js';

/* Runs live for weeks: a worker with changed workflow code takes them over in mid-flight [docs/versioning.md]. */

const bundle = (name: string) =>
  bundleWorkflowCode({ workflowsPath: join(import.meta.dirname, name), logger: new DefaultLogger('ERROR') });
const released = { codePath: join(PROJECT_FOLDER, 'dist', 'workflow-bundle.js') };
const STAGES = ['notified', 'upgrading', 'finishing', 'away'] as const;
const NAMES = STAGES.flatMap((stage) => [1, 2, 3, 4, 5].map((n) => `${stage}-${n}`));
const named = (stage: (typeof STAGES)[number]) => NAMES.filter((name) => name.startsWith(stage));

let world: World;
let patched: { code: string };
let unpatched: { code: string };
beforeAll(async () => {
  [world, patched, unpatched] = await Promise.all([startRealTimeWorld(), bundle('patched.ts'), bundle('unpatched.ts')]);
});
afterAll(() => world.stop());

/** A batch with devices at every stage of their update, carried by the released code. */
async function batchUnderWay(): Promise<TaskRecord> {
  await world.deploy(released);
  await world.seed(NAMES);
  for (const name of named('away')) world.devices.online.delete(name);
  const task = await world.batch({}, 8);
  for (const name of NAMES) await world.until(task, name, ({ begunAtMs }) => begunAtMs !== null);
  for (const name of [...named('upgrading'), ...named('finishing')]) {
    await world.until(task, name, ({ status }) => status === 'notified');
    await world.reportProgress(task, name, 40);
  }
  for (const name of named('finishing')) await world.reportProgress(task, name, 100);
  return task;
}

async function carryOn(task: TaskRecord): Promise<void> {
  for (const name of named('away')) {
    await world.comesOnline(task, name);
    await world.until(task, name, ({ status }) => status === 'notified');
  }
  for (const name of named('upgrading')) await world.reportProgress(task, name, 100);
  for (const name of NAMES) await world.reportVersion(task, name, '2.0.0');
}

const patchMarkers = async (deviceName: string) => {
  const { events } = await world.run(deviceName).fetchHistory();
  return (events ?? []).filter(({ markerRecordedEventAttributes: marker }) => marker?.markerName === 'core_patch')
    .length;
};

describe('open runs', () => {
  let task: TaskRecord;
  beforeEach(async () => {
    task = await batchUnderWay();
  });

  it('are carried on to their ends by a worker with changed code, patched by the rule; new runs are its own', async () => {
    await world.deploy(patched);
    await carryOn(task);
    expect(await world.taskRun(task).result()).toEqual({ succeeded: NAMES.length, failed: 0, cancelled: 0 });
    expect(await patchMarkers('away-1')).toBe(0);

    await world.seed(['later']);
    const later = await world.verify(['later']);
    await world.until(later, 'later', ({ status }) => status === 'notified');
    expect(await patchMarkers('later')).toBe(1);
    await world.reportVersion(later, 'later', '2.0.0');
    await world.taskRun(later).result();
  });

  it('stand still under code that was changed against the rule, and go on unharmed when the right code is back', async () => {
    await world.deploy(unpatched);
    await world.reportProgress(task, 'upgrading-1', 100);
    const isRefused = async (): Promise<boolean> => {
      const { events } = await world.run('upgrading-1').fetchHistory();
      return (events ?? []).some(
        ({ workflowTaskFailedEventAttributes: failed }) => failed !== null && failed !== undefined,
      );
    };
    while (!(await isRefused())) await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await world.run('upgrading-1').describe()).status.name).toBe('RUNNING');

    await world.deploy(patched);
    await carryOn(task);
    expect(await world.taskRun(task).result()).toEqual({ succeeded: NAMES.length, failed: 0, cancelled: 0 });
  });
});
