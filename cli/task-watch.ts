import cliProgress from 'cli-progress';
import { isOfTheFuture, type ApiClient } from '../api/client.js';
import type { ApiEvent } from '../api/client-events.js';
import type { TaskAnswer } from '../api/schemas.js';
import { isTaskOpen } from '../domain/update-task.js';
import type { Output } from './io.js';
import { clockTime } from './printable.js';
import { countsText, STATES } from './task-view.js';

/** Shows how a task stands, again and again. */
export interface TaskDisplay {
  show(task: TaskAnswer): void;
  stop(): void;
}

export interface FollowTaskOptions {
  readonly display: TaskDisplay;
  readonly signal: AbortSignal;
  /** When there is nothing more to follow: at its end, if absent. */
  readonly until?: (task: TaskAnswer) => boolean;
}

/**
 * Follows a task on the live stream to its end.
 *
 * @returns the task as it ended; undefined when it was aborted before
 */
export async function followTask(
  api: Pick<ApiClient, 'taskEvents'>,
  taskId: string,
  { display, signal, until = ({ status }) => !isTaskOpen(status) }: FollowTaskOptions,
): Promise<TaskAnswer | undefined> {
  try {
    for await (const { event, data } of eventsOf(api, taskId, signal)) {
      if (event !== 'task') continue;
      display.show(data);
      if (until(data)) return data;
    }
    return undefined;
  } finally {
    display.stop();
  }
}

/** A service whose data folder was restored does not know the events after its backup: begins anew with the present. */
async function* eventsOf(
  api: Pick<ApiClient, 'taskEvents'>,
  taskId: string,
  signal: AbortSignal,
): AsyncGenerator<ApiEvent> {
  for (;;) {
    try {
      yield* api.taskEvents(taskId, { signal });
      return;
    } catch (error) {
      if (!isOfTheFuture(error)) throw error;
    }
  }
}

/** Bars per state on a terminal, a line per change elsewhere. */
export const taskDisplay = (out: Output, indent = ''): TaskDisplay =>
  out.isTTY === true ? barsDisplay(out, indent) : linesDisplay(out, indent);

/** A JSON document a line, at every change. */
export const jsonDisplay = (out: Output): TaskDisplay => ({
  show: (task) => void out.write(`${JSON.stringify(task)}\n`),
  stop: () => undefined,
});

function linesDisplay(out: Output, indent: string): TaskDisplay {
  let last = '';
  return {
    show(task) {
      const text = `${task.status.padEnd(9)} ${countsText(task.counts)}`;
      if (text === last) return;
      last = text;
      out.write(`${indent}${clockTime(new Date())} ${text}\n`);
    },
    stop: () => undefined,
  };
}

function barsDisplay(out: Output, indent: string): TaskDisplay {
  const bars = new cliProgress.MultiBar(
    {
      format: `${indent}{state} {bar} {value} of {total}`,
      stream: out as NodeJS.WritableStream,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 40,
      hideCursor: true,
      emptyOnZero: true,
      gracefulExit: false, // signals are the command's own business
    },
    cliProgress.Presets.shades_classic,
  );
  let byState: ReadonlyMap<string, cliProgress.SingleBar> | undefined;
  return {
    show({ counts }) {
      byState ??= new Map(
        STATES.map((state) => [state, bars.create(counts.total, 0, { state: state.padEnd(9) })] as const),
      );
      for (const state of STATES) byState.get(state)?.update(counts[state]);
    },
    stop: () => bars.stop(),
  };
}
