import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { PROJECT_FOLDER } from '../../worker/paths.js';
import { startRealTimeWorld, startWorld, type World } from '../workflows/world.js';
import { HISTORIES_FOLDER } from './histories.js';

/*
 * `npm run histories`: plays each story on a real server and saves the histories of its runs as a new released shape.
 * Not part of `npm test`.
 */

const SHAPE = process.env.FERRY_SHAPE ?? '';
let world: World;

beforeAll(async () => {
  if (SHAPE === '') throw new Error('Name the released shape: FERRY_SHAPE=2 npm run histories');
  world = await startWorld();
});
afterAll(() => world.stop());

const save = async (workflowId: string, type: string, story: string, runId?: string) => {
  const history = await world.env.client.workflow.getHandle(workflowId, runId).fetchHistory();
  const folder = join(HISTORIES_FOLDER, SHAPE);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${type}-${story}.json`), anonymous(historyToJSON(history)));
};
/** Without this machine's folders and name. */
const anonymous = (json: string) =>
  json.replaceAll(`${PROJECT_FOLDER}/`, '').replaceAll(/"identity": ?"[^"]*"/g, '"identity":"ferry"');
const deviceRun = (deviceName: string) => `device-update/${world.productKey}/${deviceName}`;

it('saves a verification with devices that succeed, fail, stay silent and stay away', async () => {
  const names = ['succeeds', 'fails', 'silent', 'offline', 'stalls', 'unconfirmed', 'returns'];
  await world.seed(names);
  world.devices.online.delete('offline');
  world.devices.online.delete('returns');
  const task = await world.verify(names);
  for (const name of ['succeeds', 'fails', 'stalls', 'unconfirmed']) {
    await world.until(task, name, ({ status }) => status === 'notified');
  }
  await world.reportProgress(task, 'succeeds', 0);
  await world.reportProgress(task, 'succeeds', 100);
  await world.reportVersion(task, 'succeeds', '2.0.0');
  await world.reportFailure(task, 'fails', 'verification-failed', 'digest differs');
  await world.reportProgress(task, 'stalls', 40);
  await world.reportProgress(task, 'unconfirmed', 100);
  await world.comesOnline(task, 'returns');
  await world.until(task, 'returns', ({ status }) => status === 'notified');
  await world.reportVersion(task, 'returns', '2.0.0');
  await world.taskRun(task).result();
  await save(task.workflowId, 'verification', 'mixed');
  for (const name of names) await save(deviceRun(name), 'deviceUpdate', name);
});

it('saves a batch of three shards with a busy device', async () => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  await world.seed(names);
  await world.makeVerified();
  const other = await world.verify(['c']);
  await world.until(other, 'c', ({ status }) => status === 'notified');
  const task = await world.batch({}, 2);
  for (const name of ['a', 'b', 'd', 'e']) {
    await world.until(task, name, ({ status }) => status === 'notified');
    await world.reportVersion(task, name, '2.0.0');
  }
  await world.taskRun(task).result();
  await save(task.workflowId, 'batchUpdate', 'completed');
  await save(`batch/${task.id}/shard-1`, 'shard', 'busy');
  await world.taskRun(other).cancel();
  await world
    .taskRun(other)
    .result()
    .catch(() => undefined);
  await save(other.workflowId, 'verification', 'cancelled');
  await save(deviceRun('c'), 'deviceUpdate', 'cancelled');
});

it('saves a batch that is cancelled', async () => {
  await world.seed(['a', 'b', 'c']);
  for (const name of ['a', 'b', 'c']) world.devices.online.delete(name);
  const task = await world.batch({}, 2);
  await world.until(task, 'c', ({ begunAtMs }) => begunAtMs !== null);
  await world.taskRun(task).cancel();
  await world
    .taskRun(task)
    .result()
    .catch(() => undefined);
  await save(task.workflowId, 'batchUpdate', 'cancelled');
  await save(`batch/${task.id}/shard-0`, 'shard', 'cancelled');
});

it('saves updates with a soak time, one that succeeds and one that falls back', async () => {
  const names = ['soaks', 'falls-back'];
  await world.seed(names);
  const task = await world.verify(names, { soakMs: 600_000 });
  for (const name of names) await world.until(task, name, ({ status }) => status === 'notified');
  for (const name of names) await world.reportProgress(task, name, 100);
  for (const name of names) await world.reportVersion(task, name, '2.0.0');
  await world.reportFailure(task, 'falls-back', 'fell-back', 'It runs 1.0.0.');
  await world.taskRun(task).result();
  for (const name of names) await save(deviceRun(name), 'deviceUpdate', name);
});

it('saves an update whose notification was held back and whose time ran out over an outage', async () => {
  await world.seed(['held-back']);
  world.devices.file = 'corrupt';
  const task = await world.verify(['held-back'], { stallTimeoutMs: 600_000 });
  await world.until(task, 'held-back', ({ detail }) => detail !== null);
  world.devices.file = 'intact';
  await world.comesOnline(task, 'held-back');
  await world.until(task, 'held-back', ({ status }) => status === 'notified');
  await world.reportProgress(task, 'held-back', 10);
  const { lastProgressAtMs } = await world.until(task, 'held-back', ({ step }) => step === 10);
  world.devices.listening = (lastProgressAtMs ?? 0) + 500_000;
  await world.taskRun(task).result();
  await save(deviceRun('held-back'), 'deviceUpdate', 'held-back');
});

it('saves an update of a device that was online at its offline limit, untold', async () => {
  await world.seed(['seen-at-its-limit']);
  world.devices.online.clear();
  const task = await world.verify(['seen-at-its-limit'], { offlineTimeoutMs: 3_600_000 });
  await world.until(task, 'seen-at-its-limit', ({ begunAtMs }) => begunAtMs !== null);
  world.devices.online.add('seen-at-its-limit');
  await world.env.sleep(3_660_000);
  await world.until(task, 'seen-at-its-limit', ({ status }) => status === 'notified');
  await world.reportVersion(task, 'seen-at-its-limit', '2.0.0');
  await world.taskRun(task).result();
  await save(deviceRun('seen-at-its-limit'), 'deviceUpdate', 'seen-at-its-limit');
});

it('saves an update whose notification failed for so long that it was tried again by timers', async () => {
  await world.seed(['tried-again']);
  world.devices.failing.add('tried-again');
  const task = await world.verify(['tried-again']);
  await world.untilTimer('tried-again');
  world.devices.failing.clear();
  await world.until(task, 'tried-again', ({ status }) => status === 'notified');
  await world.reportVersion(task, 'tried-again', '2.0.0');
  await world.taskRun(task).result();
  await save(deviceRun('tried-again'), 'deviceUpdate', 'tried-again');
});

it('saves updates of devices that leave in mid-update, and of one that only downloads', async () => {
  const names = ['leaves-and-returns', 'leaves-for-good', 'leaves-at-hundred', 'only-downloads'];
  await world.seed(names);
  const task = await world.verify(names);
  for (const name of names) await world.until(task, name, ({ status }) => status === 'notified');
  const downloading = (await world.records.getDeviceUpdate(task.id, 'only-downloads'))?.id ?? 0;
  for (const name of names.slice(0, 2)) await world.reportProgress(task, name, 40);
  await world.reportProgress(task, 'leaves-at-hundred', 100);
  for (const name of names.slice(0, 3)) world.devices.online.delete(name);
  for (let minutes = 0; minutes < 40; minutes += 4) {
    await world.env.sleep(240_000);
    await world.records.downloading(downloading, await world.env.currentTimeMs());
  }
  await world.reportVersion(task, 'only-downloads', '2.0.0');
  await world.comesOnline(task, 'leaves-and-returns');
  await world.until(task, 'leaves-and-returns', ({ notifications }) => notifications === 2);
  await world.reportProgress(task, 'leaves-and-returns', 70);
  await world.reportVersion(task, 'leaves-and-returns', '2.0.0');
  await world.taskRun(task).result();
  for (const name of names) await save(deviceRun(name), 'deviceUpdate', name);
});

describe('on a server that tells a parent of a termination', () => {
  beforeAll(async () => {
    await world.stop();
    world = await startRealTimeWorld();
  });

  it('saves a cancelled batch whose untold runs are closed, and one that waits for a run that closes', async () => {
    const names = ['untold', 'told', 'waits'];
    await world.seed(names);
    world.devices.online.delete('untold');
    world.devices.online.delete('waits');
    const first = await world.batch();
    await world.until(first, 'told', ({ status }) => status === 'notified');
    await world.until(first, 'waits', ({ begunAtMs }) => begunAtMs !== null);
    await world.records.requestTaskCancel(first.id, await world.env.currentTimeMs());
    const asked = world.runs.untilAsked(deviceRun('waits'));
    const second = await world.batch();
    await asked;
    await world.taskRun(first).cancel();
    await world
      .taskRun(first)
      .result()
      .catch(() => undefined);
    for (const name of names) await world.until(second, name, ({ begunAtMs }) => begunAtMs !== null);
    for (const name of ['untold', 'waits']) await world.comesOnline(second, name);
    for (const name of names) {
      await world.until(second, name, ({ status }) => status === 'notified');
      await world.reportVersion(second, name, '2.0.0');
    }
    await world.taskRun(second).result();
    await save(first.workflowId, 'batchUpdate', 'closes-untold');
    await save(`batch/${first.id}/shard-0`, 'shard', 'closes-untold');
    await save(`batch/${second.id}/shard-0`, 'shard', 'waits');
    await save(deviceRun('waits'), 'deviceUpdate', 'after-a-closing-run');
  });

  it('saves an update that goes on under new runs, and is cancelled with its task', async () => {
    await world.seed(['goes-on']);
    const { deviceRunEventsMax } = world;
    world.deviceRunEventsMax = 40;
    const task = await world.verify(['goes-on']);
    await world.until(task, 'goes-on', ({ status }) => status === 'notified');
    const runId = async () => (await world.records.getDeviceUpdate(task.id, 'goes-on'))?.runId ?? undefined;
    const first = await runId();
    for (let n = 1; (await runId()) === first; n++) {
      await world.comesOnline(task, 'goes-on');
      await world.until(task, 'goes-on', ({ notifications }) => notifications > n);
    }
    world.deviceRunEventsMax = deviceRunEventsMax;
    await world.taskRun(task).cancel();
    await world
      .taskRun(task)
      .result()
      .catch(() => undefined);
    await save(deviceRun('goes-on'), 'deviceUpdate', 'goes-on-first', first);
    await save(deviceRun('goes-on'), 'deviceUpdate', 'goes-on-then');
    await save(task.workflowId, 'verification', 'goes-on-cancelled');
  });

  it('saves a batch whose shard is terminated and started once more', async () => {
    const names = ['a', 'b'];
    await world.seed(names);
    const task = await world.batch({}, 2);
    for (const name of names) await world.until(task, name, ({ status }) => status === 'notified');
    await world.env.client.workflow.getHandle(`batch/${task.id}/shard-0`).terminate('by hand');
    await world.taskRun(task).result();
    await save(task.workflowId, 'batchUpdate', 'broken-shard');
    await save(`batch/${task.id}/shard-0`, 'shard', 'begun-again');
  });
});
