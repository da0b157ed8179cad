import type { TaskAnswer } from '../api/schemas.js';
import { awaitsApproval } from '../domain/update-task.js';
import { plural } from './printable.js';
import { interruption } from './io.js';
import type { Session } from './session.js';
import { followTask, jsonDisplay, taskDisplay } from './task-watch.js';
import { countsText } from './task-view.js';
import { Interrupted, TaskNotSucceeded } from './usage-error.js';

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
 * @throws TaskNotSucceeded likewise, when it has ended without success on every device
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
    if (!isJson) io.out.write(endText(ended));
    const exitCode = exitCodeOf(ended);
    if (exitCode !== 0) throw new TaskNotSucceeded(exitCode);
  } finally {
    dispose();
  }
}

function endText({ id, status, counts }: TaskAnswer): string {
  const lines = [`Task ${id} ${status}: ${countsText(counts)}.`];
  if (counts.failed > 0) lines.push(`See why ${plural(counts.failed, 'device')} failed: ferry failures ${id}`);
  return `${lines.join('\n')}\n`;
}

/** What a script goes by: so that the next step of a rollout does not follow a firmware that failed. */
export function exitCodeOf({ status, counts }: Pick<TaskAnswer, 'status' | 'counts'>): 0 | 3 | 4 {
  if (counts.failed > 0) return 3;
  return status === 'completed' && counts.succeeded === counts.total ? 0 : 4;
}

/** Below the help of what follows a task. */
export const WATCH_EXIT_CODES =
  '\nExit code when it is followed to its end: 0 every device succeeded, 3 a device failed, 4 no device failed but the ' +
  'task or some of its devices were cancelled or rejected, 130 Ctrl-C (the task goes on).\n';
