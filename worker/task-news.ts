import type { Logger } from 'pino';
import { changeFeed } from '../api/change-feed.js';
import { isTaskOpen } from '../domain/update-task.js';
import { RecentMap } from '../domain/recent-map.js';
import type { Records, TaskRecord } from '../records/records.js';

/** Many changes of a task within this time are looked at once. */
const GAP_MS = 1_000;
/** An ended task may change again, when its records are mended: it is told once. */
const REMEMBERED_MAX = 1_000;

export interface TaskNews {
  stop(): Promise<void>;
}

/** Tells the log of every task that ends, with its counts. */
export async function tellTaskNews(records: Records, log: Pick<Logger, 'info' | 'error'>): Promise<TaskNews> {
  const stopping = new AbortController();
  const told = new RecentMap<string, true>(REMEMBERED_MAX);
  const after = await records.lastChange();

  function tell(task: TaskRecord): void {
    if (isTaskOpen(task.status) || told.get(task.id)) return;
    told.set(task.id, true);
    const { id, kind, status, firmware, counts } = task;
    const { name, version, productKey } = firmware;
    log.info({ task: id, kind, status, productKey, firmware: `${name}@${version}`, counts }, 'a task has ended');
  }
  async function follow(): Promise<void> {
    const options = { taskId: null, after, signal: stopping.signal, batchGapMs: GAP_MS };
    for await (const batch of changeFeed(records, options)) {
      for (const item of batch) if ('task' in item) tell(item.task);
    }
  }
  const following = follow().catch((error: unknown) => log.error({ err: error }, 'the ends of tasks are told no more'));
  return {
    async stop() {
      stopping.abort();
      await following;
    },
  };
}
