import { pause } from './pause.js';
import type { DeviceUpdateRecord, Records, TaskRecord } from '../records/records.js';

/** A change as it goes over the wire: the newest state of what changed, under its own number to resume after. */
export type FeedItem = { readonly id: number } & (
  { readonly task: TaskRecord } | { readonly deviceUpdate: DeviceUpdateRecord }
);

interface FeedOptions {
  /** One task with its device updates; null for all tasks, without device updates. */
  readonly taskId: string | null;
  readonly after: number;
  readonly signal: AbortSignal;
  /** Least time from one batch to the next: many changes in that time become one. */
  readonly batchGapMs: number;
}

const CHANGES_A_BATCH = 500;

/**
 * Batches of what changed after a change number, for ever: first what happened meanwhile, then what happens. It reads
 * the records, so it misses nothing over restarts; it asks again only when the last batch was taken.
 */
export async function* changeFeed(records: Records, options: FeedOptions): AsyncGenerator<readonly FeedItem[]> {
  const { taskId, signal, batchGapMs } = options;
  const bell = new Bell();
  const stopListening = records.onChange((taskIds) => {
    if (taskId === null || (taskIds?.has(taskId) ?? true)) bell.ring();
  });
  const stopWaiting = () => bell.ring();
  signal.addEventListener('abort', stopWaiting);
  try {
    let after = options.after;
    while (!signal.aborted) {
      bell.reset();
      const batch = await nextBatch(records, after, taskId);
      if (batch.items.length > 0) yield batch.items;
      after = batch.change;
      if (batch.more) continue;
      await pause(batchGapMs, signal);
      await bell.rung;
    }
  } finally {
    signal.removeEventListener('abort', stopWaiting);
    stopListening();
  }
}

async function nextBatch(records: Records, after: number, taskId: string | null) {
  const { tasks, deviceUpdates, change, more } = await records.changesSince(after, taskId, CHANGES_A_BATCH);
  const items: FeedItem[] = [
    ...tasks.map((task) => ({ id: task.change, task })),
    ...deviceUpdates.map((deviceUpdate) => ({ id: deviceUpdate.change, deviceUpdate })),
  ];
  return { items: items.sort((a, b) => a.id - b.id), change, more };
}

/** Rings stay until they are heard, so that none is lost between looking and waiting. */
class Bell {
  rung!: Promise<void>;
  ring!: () => void;

  constructor() {
    this.reset();
  }

  reset(): void {
    this.rung = new Promise((resolve) => (this.ring = resolve));
  }
}
