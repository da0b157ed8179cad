import { csvOf } from './csv.js';
import type { DeviceUpdateAnswer, PageAnswer, TaskAnswer } from './schemas.js';

const COLUMNS = [
  'deviceName',
  'protocol',
  'status',
  'outcome',
  'step',
  'cause',
  'detail',
  'attempt',
  'waitingFor',
  'waitingUntil',
  'createdAt',
  'notifiedAt',
  'startedAt',
  'endedAt',
  'workflowId',
  'runId',
  'taskId',
  'productKey',
  'module',
  'targetVersion',
];

const row = (update: DeviceUpdateAnswer, { module, version }: TaskAnswer['firmware']) => ({
  ...update,
  waitingFor: update.waitingFor?.what,
  waitingUntil: update.waitingFor?.until,
  workflowId: update.workflow.id,
  runId: update.workflow.runId,
  module,
  targetVersion: version,
});

/** Device updates of a task as CSV (api/csv.ts). @param firmware that the task is about */
export const deviceUpdatesCsv = (
  firmware: TaskAnswer['firmware'],
  pageAfter: (cursor: string | undefined) => Promise<PageAnswer<DeviceUpdateAnswer>>,
): ReadableStream<Uint8Array> => csvOf(COLUMNS, pageAfter, (update) => row(update, firmware));
