import type { QueryClient, QueryKey } from '@tanstack/react-query';
import type { ApiEvent } from '../../api/client-events.js';
import type { DeviceUpdateAnswer, OverviewAnswer, PageAnswer, TaskAnswer, TaskDetailAnswer } from '../../api/schemas.js';
import { keys } from './keys.js';

/** What counts or filters is asked for again, no more often than this. */
const REFRESH_GAP_MS = 2_000;

/** What the live stream is about. */
export const STREAMED = [keys.taskList(), keys.task(), keys.deviceUpdates(), keys.timeline(), keys.overview];

/**
 * Carries live events into the query cache: rows that are shown change in place; what a change may have added to or
 * taken out of lists and counts is asked for again, once for many changes.
 */
export class LiveCache {
  private readonly waiting = new Map<string, QueryKey>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly client: QueryClient) {}

  apply(events: readonly ApiEvent[]): void {
    // Only the newest state of each counts.
    const tasks = new Map<string, TaskAnswer>();
    const updates = new Map<string, Map<string, DeviceUpdateAnswer>>();
    for (const { event, data } of events) {
      if (event === 'task') tasks.set(data.id, data);
      else updates.set(data.taskId, (updates.get(data.taskId) ?? new Map<string, DeviceUpdateAnswer>()).set(data.deviceName, data));
    }
    for (const task of tasks.values()) this.task(task);
    for (const [taskId, byName] of updates) this.deviceUpdates(taskId, byName);
  }

  /** Everything that the live stream is about, after a time of which nothing is known. */
  refresh(): void {
    for (const queryKey of STREAMED) void this.client.invalidateQueries({ queryKey });
  }

  /** Replaces the live stream while there is none. Firmware is asked for too: the stream renews it when a task begins or ends. */
  poll(): void {
    this.refresh();
    for (const queryKey of [keys.firmwareList(), keys.firmware()]) void this.client.invalidateQueries({ queryKey });
  }

  private task(task: TaskAnswer): void {
    const before = this.client.getQueryData<TaskDetailAnswer>(keys.task(task.id));
    this.client.setQueryData<TaskDetailAnswer>(keys.task(task.id), (old) => old && { ...old, ...task });
    // Its failures by cause are not part of the event.
    if (before && before.counts.failed !== task.counts.failed) this.refreshSoon(keys.task(task.id));
    const ended = ({ counts }: TaskAnswer) => counts.succeeded + counts.failed + counts.cancelled;
    if (before && ended(before) !== ended(task)) this.refreshSoon(keys.timeline(task.id));

    let statusBefore: string | undefined;
    const replace = (old: TaskAnswer) => {
      if (old.id !== task.id) return old;
      statusBefore = old.status;
      return task;
    };
    this.client.setQueriesData<PageAnswer<TaskAnswer>>(
      { queryKey: keys.taskList() },
      (page) => page && { ...page, items: page.items.map(replace) },
    );
    this.client.setQueryData<OverviewAnswer>(
      keys.overview,
      (overview) => overview && { ...overview, openTasks: overview.openTasks.map(replace) },
    );
    if (statusBefore === task.status) return;
    for (const key of [keys.taskList(), keys.overview, keys.firmwareList(), keys.firmware(), keys.versions()]) {
      this.refreshSoon(key);
    }
  }

  private deviceUpdates(taskId: string, byName: ReadonlyMap<string, DeviceUpdateAnswer>): void {
    this.client.setQueriesData<PageAnswer<DeviceUpdateAnswer>>(
      { queryKey: keys.deviceUpdates(taskId) },
      (page) => page && { ...page, items: page.items.map((old) => byName.get(old.deviceName) ?? old) },
    );
    this.refreshSoon(keys.deviceUpdates(taskId));
  }

  private refreshSoon(key: QueryKey): void {
    this.waiting.set(JSON.stringify(key), key);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      const due = [...this.waiting.values()];
      this.waiting.clear();
      for (const queryKey of due) void this.client.invalidateQueries({ queryKey });
    }, REFRESH_GAP_MS);
  }
}
