import { stringify } from 'csv-stringify/sync';
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

/**
 * Device updates as CSV, a page at a time as the reader takes it. What a spreadsheet would take for a formula is quoted:
 * details carry what devices say.
 *
 * @param pageAfter the page after a cursor; undefined asks for the first
 */
export function deviceUpdatesCsv(
  pageAfter: (cursor: string | undefined) => Promise<PageAnswer<DeviceUpdateAnswer>>,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let cursor: string | undefined;
  return new ReadableStream({
    start(controller) {
      controller.enqueue(encoder.encode(stringify([COLUMNS])));
    },
    async pull(controller) {
      const page = await pageAfter(cursor);
      controller.enqueue(encoder.encode(stringify(page.items.map(row), { columns: COLUMNS, escape_formulas: true })));
      if (page.nextCursor === null) controller.close();
      else cursor = page.nextCursor;
    },
  });
}
