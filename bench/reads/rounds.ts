import type { Records } from '../../records/records.js';
import { LARGEST, OPEN, PRODUCT, type Sizes } from './fill.js';

const ROUND_MAX = 1_000;
const CHANGES_A_BATCH = 500;

/**
 * What the service asks by itself while a batch runs: the jobs of the reconciler (worker/up.ts) every two seconds, a
 * live stream at each change, an open overview page every ten.
 */
export const askedEveryRound = (
  records: Records,
  { largest, open }: Sizes,
): Record<string, () => Promise<unknown>> => ({
  'round: outbox, tasks': () => records.undeliveredTasks(ROUND_MAX),
  'round: outbox, cancellations': () => records.tasksWithUndeliveredDeviceCancels(ROUND_MAX),
  'round: news to tell': () => records.untoldNews(ROUND_MAX),
  'round: devices come online': () => records.pendingOnlineUpdates(ROUND_MAX),
  'round: paused files': () => records.pausedFiles(),
  'round: idempotency keys': () => records.forgetIdempotencyKeys(1),
  'round: sessions': () => records.forgetSessions(1),
  'watch: open tasks': () => records.listTasks({ status: 'running' }, { limit: 500 }),
  'metrics: paused tasks': () => records.countTasks('paused'),
  'stream: changes of all tasks': async () => records.changesSince(await records.lastChange(), null, CHANGES_A_BATCH),
  'stream: 500 changes of a task': () => records.changesSince(largest + open - CHANGES_A_BATCH, OPEN, CHANGES_A_BATCH),
  'overview: devices': () => records.countDevices(),
  'overview: versions': () => records.countVersions(PRODUCT, 'default', { limit: 12 }),
  'overview: failures, counted': () => records.countFailuresSince(0),
  'overview: latest failures': () => records.latestFailures(0, 10),
  'overview: tasks to re-initiate': () => records.tasksToReinitiate(0, 5),
  'overview: firmware to validate': () => records.firmwareToValidate(5),
  'task page: timeline, counted': () => records.countEnded(LARGEST, 0, 60_000),
});
