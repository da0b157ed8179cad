import { failed, initialState, notified } from '../../domain/device-update.js';
import type { Records } from '../../records/records.js';
import { Builder } from './builder.js';

/** Calls every method of the records, each list from its start and from a cursor, with every filter. */
export async function callEverything(records: Records): Promise<void> {
  const build = new Builder(records);
  await build.product();
  await build.devices(['a', 'b']);
  await build.runs('a', '1.0.0');
  const [key, once] = [
    { productKey: build.productKey, deviceName: 'a' },
    { key: 'k', fingerprint: 'f' },
  ];
  const id = await build.verified('2.0.0');
  const task = await build.batch(id, ['1.0.0']);
  await build.batch(await build.verified('3.0.0'), ['1.0.0']).catch(() => undefined);
  await records.deviceConnected(key, 'c', 1);
  const { id: updateId } = await records.recordDeviceUpdate(task.id, key, notified(initialState(1), 2), 'run');
  await records.progressReported(key, { module: null, step: 1, atMs: 3 });
  await records.failureReported(key, { module: null, cause: 'stalled', description: '', atMs: 3 });
  await records.downloading(updateId, 3);
  await records.signalled(updateId, 'online', 4);
  await records.requestDeviceCancel(task.id, 'a', 4);
  await records.taskBegun(task.id, 'run', 1);
  await records.requestTaskCancel(task.id, 4);

  for (const page of [{ limit: 2 }, { limit: 2, cursor: cursorOf(1, 'x') }]) {
    await records.listProducts(page);
    await records.listFirmware({}, page);
    await records.listFirmware({ productKey: build.productKey }, page);
    for (const filter of [
      {},
      { firmwareId: id },
      { productKey: build.productKey },
      { status: 'running' },
      { status: 'running', productKey: build.productKey },
      { kind: 'batch' },
    ] as const) {
      await records.listTasks(filter, page);
    }
  }
  for (const page of [{ limit: 2 }, { limit: 2, cursor: cursorOf('x') }]) {
    for (const filter of [
      {},
      { version: '1.0.0' },
      { version: '1.0.0', online: true },
      { online: true },
      { search: 'a' },
    ]) {
      await records.listDevices(build.productKey, filter, page);
    }
  }
  for (const page of [{ limit: 2 }, { limit: 2, cursor: cursorOf(1) }]) {
    await records.listDeviceHistory(key, page);
    for (const filter of [
      {},
      { status: 'pending' },
      { outcome: 'failed' },
      { status: 'completed', outcome: 'failed' },
      { cause: 'stalled' },
      { search: 'a' },
    ] as const) {
      await records.listDeviceUpdates(task.id, filter, page);
    }
  }
  await records.getProduct(build.productKey);
  await records.getDevice(key);
  await records.deviceSecret(key);
  await records.getTask(task.id);
  await records.getDeviceUpdateById(updateId);
  await records.wholeDeviceUpdate(task.id, 'a');
  await records.installedVersion(key, 'default');
  await records.openDeviceUpdate(key, null);
  await records.pendingOnlineUpdates(2);
  await records.untoldNews(2);
  await records.signInRefused(key, { reason: 'wrong-secret', address: '10.0.0.1', atMs: 5 });
  await records.nameClashed(key, { atMs: 6, addresses: ['10.0.0.1', '10.0.0.2'] });
  await records.countFailuresByCause(task.id);
  await records.countVersions(build.productKey, 'default', { limit: 2 });
  await records.countVersions(build.productKey, 'default', { limit: 2, cursor: cursorOf(1, 'x') });
  await records.countDevices();
  await records.listConflicts(build.productKey, 'default');
  const batch = { firmwareId: id, sourceVersions: ['1.0.0'], policy: task.policy };
  await records.previewBatch({ ...batch, deviceNames: null });
  await records.previewBatch({ ...batch, deviceNames: ['a'] });
  await records.countEnded(task.id, 0, 1);
  await records.countOnline(task.id);
  await records.countFailuresSince(0);
  await records.countFailuresSince(0, build.productKey);
  await records.latestFailures(0, 2);
  await records.tasksToReinitiate(0, 2);
  await records.firmwareToValidate(2);
  const session = { hash: 's', principal: 'admin', credential: 'c', createdAtMs: 1, expiresAtMs: 9 };
  await records.addSession(session);
  await records.addSignInLink('l', 9);
  await records.redeemSignInLink('l', { ...session, hash: 't' });
  await records.getSession('s', 2);
  await records.endSession('s');
  await records.forgetSessions(10);
  await records.loadShard(task.id, 0, 2);
  await records.undeliveredTasks(2);
  await records.undeliveredTask(task.id);
  await records.tasksWithUndeliveredDeviceCancels(2);
  await records.changesSince(0, null, 2);
  await records.changesSince(0, task.id, 2);
  await records.undeliveredDeviceCancels(task.id, 2);
  await records.giveOut(task.id, key, initialState(1), 'run');
  await records.endUnbegun(task.id, key, initialState(1));
  await records.takeBack(task.id, key, { state: initialState(1), runId: 'run', notifiedAtMs: 2 });
  for (const which of ['untold', 'unbegun'] as const) {
    await records.cancelWaiting(task.id, { which, fromOrdinal: 1, toOrdinal: 2, atMs: 5 });
  }
  await records.untoldRuns(task.id, 0, 2);
  await records.delivered(task.id, 'cancel');
  await records.deviceCancelDelivered(updateId);
  await records.deleteFirmware(id, 5).catch(() => undefined);
  await records.recordDeviceUpdate(task.id, key, failed(initialState(1), 'stalled', 5), 'run');
  await records.taskEnded(task.id, 'cancelled', 6);
  const again = { id: 'again', reinitiates: task.id, deviceNames: null, createdAtMs: 7, idempotency: once };
  await records.reinitiateTask(again);
  await records.reinitiateTask(again);
  await records.deviceDisconnected(key, 'c', 8);
  await records.allDevicesDisconnected();
  await records.forgetIdempotencyKeys(1);
  await records.engineRestored(1);
  await records.restorePoint();
  await records.beginEra(10);
  await records.isLostChange(1);
  await records.lastRetention();
  await records.retentionFinished(1);
  await records.engineCaughtUp();
  await callKeeping(records, build);
}

/** Secrets, tokens, audit log, pauses, approvals, the doctor's repairs. */
async function callKeeping(records: Records, build: Builder): Promise<void> {
  const { productKey } = build;
  const key = { productKey, deviceName: 'a' };
  await records.trustKeys(productKey, () => []);
  await records.changeProduct(productKey, { name: 'Lamp' });
  await records.renameDevice({ productKey, deviceName: 'b' }, 'c').catch(() => undefined);
  await records.deleteDevice({ productKey, deviceName: 'c' }).catch(() => undefined);
  await records.deleteProduct(productKey, 9).catch(() => undefined);
  await records.rotateDeviceSecret(key, 'secret');
  await records.revokeDevice(key, null);
  await records.resealSecrets();
  const token = { id: 't', name: 'ci', role: 'viewer', productKey, hash: 'h', createdBy: 'admin' } as const;
  await records.addToken({ ...token, createdAtMs: 1, expiresAtMs: null });
  await records.getToken('t');
  await records.tokenByHash('h');
  await records.tokenUsed('t', 2);
  await records.revokeToken('t', 3);
  for (const page of [{ limit: 2 }, { limit: 2, cursor: cursorOf(1, 'x') }]) await records.listTokens(page);
  const entry = { atMs: 1, actor: 'admin', action: 'x', target: null, productKey, address: null };
  await records.addAudit({ ...entry, outcome: 'done', before: null, after: null });
  const [first] = await records.auditChain(0, 2);
  await records.anchorAudit({ id: 1, hash: first?.hash ?? '' }, 2);
  await records.auditAnchor();
  await records.dropArchivedAudit(2);
  for (const page of [{ limit: 2 }, { limit: 2, cursor: cursorOf(1) }]) {
    for (const filter of [{}, { actor: 'a' }, { action: 'a' }, { target: 't' }, { productKey }]) {
      await records.listAudit(filter, page);
    }
    for (const target of ['task/t', 'task/t/d']) {
      for (const filter of [
        {},
        { actor: 'a' },
        { action: 'batch.create' },
        { action: 'task.cancel' },
        { productKey },
      ]) {
        await records.listAudit({ ...filter, target }, page);
      }
    }
  }
  await records.pauseTasksOf('ab'.repeat(32), 'firmware-file-damaged', 9);
  await records.resumeTasksOf('ab'.repeat(32));
  await records.countTasks('paused');
  await records.pausedFiles();
  await records.decideTask('again', { decision: 'approved', by: 'x', atMs: 9 } as never).catch(() => undefined);
  await records.bookkeepingFaults();
  await records.repairBookkeeping({ kind: 'counts-wrong', taskId: 'again' }, 9);
  await records.repairBookkeeping({ kind: 'claim-leaked', taskId: 'again', sourceVersion: '9' }, 9);
  await records.repairBookkeeping({ kind: 'claim-missing', taskId: 'again', sourceVersion: '9', heldBy: null }, 9);
  await records.repairBookkeeping({ kind: 'failure-counts-wrong', taskId: 'again' }, 9);
  await records.repairBookkeeping({ kind: 'device-counts-wrong', productKey }, 9);
  await records.repairBookkeeping({ kind: 'version-counts-wrong', productKey }, 9);
  await records.tellAgain('again');
  await records.endedTasksWithOpenUpdates();
  await records.ping();
}

const cursorOf = (...key: (string | number)[]) => Buffer.from(JSON.stringify(key)).toString('base64url');
