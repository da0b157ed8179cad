import type { Command } from 'commander';
import { firmwareName } from '../firmware-name.js';
import type { Io } from '../io.js';
import { operatingCommand } from '../operating-command.js';
import { plural } from '../printable.js';
import { openSession } from '../session.js';
import { TASK } from './tasks.js';

/* The two-person rule: what a second operator says of a large batch. */

export const approveCommand = (io: Io): Command =>
  operatingCommand('approve', 'let a batch go that another operator has created', [
    'ferry approve h3k9 --remark "canary is fine"',
  ])
    .addArgument(TASK)
    .option('--remark <text>', 'why', '')
    .action(async (taskId: string, { remark, ...options }: { remark: string }) => {
      const session = openSession(io, options);
      const task = await session.api.approveTask(taskId, { remark });
      session.answer(
        task,
        () => `Approved: batch ${task.id} to ${firmwareName(task.firmware)}, ${plural(task.counts.total, 'device')}.`,
      );
    });

export const rejectCommand = (io: Io): Command =>
  operatingCommand('reject', 'end a batch that another operator has created, before anything was sent', [
    'ferry reject h3k9 --remark "not on a Friday"',
  ])
    .addArgument(TASK)
    .option('--remark <text>', 'why', '')
    .action(async (taskId: string, { remark, ...options }: { remark: string }) => {
      const session = openSession(io, options);
      const task = await session.api.rejectTask(taskId, { remark });
      session.answer(task, () => `Rejected: batch ${task.id} to ${firmwareName(task.firmware)}; nothing was sent.`);
    });
