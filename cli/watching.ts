import type { TaskAnswer } from '../api/schemas.js';
import { awaitsApproval } from '../domain/update-task.js';
import { plural } from './printable.js';
import { interruption } from './io.js';
import type { Session } from './session.js';
import { followTask, jsonDisplay, taskDisplay } from './task-watch.js';
import { countsText } from './task-view.js';
import { Interrupted } from './usage-error.js';

/** Answers a task that has just been created, and follows it if asked to; in JSON, following says it all. */
export async function answerNewTask(
  session: Session,
  task: TaskAnswer,
  { watch = false, text }: { readonly watch?: boolean | undefined; readonly text: () => string },
): Promise<void> {
  const approval = awaitsApproval(task, task.cancelRequestedAt)
    ? `\nAnother operator lets it go: ferry approve ${task.id}`
    : '';
  if (!watch || !session.isJson) session.answer(task, () => `${text()}${approval}`);
  if (watch) await watchTask(session, task.id);
}

/**
 * Follows the task to its end before the eyes of the operator; Ctrl-C ends the watching, not the task.
 *
 * @throws Interrupted then: a command that was to follow it must not run
 */
export async function watchTask({ api, io, isJson }: Session, taskId: string): Promise<void> {
  const { signal, dispose } = interruption(io);
  try {
    const display = isJson ? jsonDisplay(io.out) : taskDisplay(io.out);
    const ended = await followTask(api, taskId, { display, signal });
    if (!ended) {
      if (!isJson) io.out.write(`The task goes on. Watch it again: ferry watch ${taskId}\n`);
      throw new Interrupted();
    }
    if (isJson) return;
    io.out.write(`Task ${taskId} ${ended.status}: ${countsText(ended.counts)}.\n`);
    if (ended.counts.failed > 0) {
      io.out.write(`See why ${plural(ended.counts.failed, 'device')} failed: ferry failures ${taskId}\n`);
    }
  } finally {
    dispose();
  }
}
