import { csvOf } from './csv.js';
import type { DeviceUpdateAnswer, PageAnswer } from './schemas.js';

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
];

const row = (update: DeviceUpdateAnswer) => ({
  ...update,
  waitingFor: update.waitingFor?.what,
  waitingUntil: update.waitingFor?.until,
  workflowId: update.workflow.id,
  runId: update.workflow.runId,
});

/** Device updates as CSV (api/csv.ts). */
export const deviceUpdatesCsv = (
  pageAfter: (cursor: string | undefined) => Promise<PageAnswer<DeviceUpdateAnswer>>,
): ReadableStream<Uint8Array> => csvOf(COLUMNS, pageAfter, row);
