import type { Command } from 'commander';
import { firmwareName } from '../firmware-name.js';
import type { Io } from '../io.js';
import { addDevicesOptions, namedDevices, type DevicesOptions } from '../names-list.js';
import { operatingCommand } from '../operating-command.js';
import { plural } from '../printable.js';
import { openSession } from '../session.js';
import { answerNewTask, WATCH_EXIT_CODES } from '../watching.js';
import { TASK } from './tasks.js';

/* What operators ask of a task: try again, stop, end early. */

interface ReinitiateOptions extends DevicesOptions {
  readonly watch?: boolean;
}

export const reinitiateCommand = (io: Io): Command =>
  addDevicesOptions(
    operatingCommand('reinitiate', 'update the failed devices of an ended task again, in a new task linked to it', [
      'ferry reinitiate h3k9 --watch',
      'ferry reinitiate h3k9 --devices T-0001,T-0002',
    ]).addArgument(TASK),
    'only these of the failed devices',
  )
    .option('--watch', 'follow it to its end')
    .addHelpText('after', WATCH_EXIT_CODES)
    .action(async (taskId: string, options: ReinitiateOptions) => {
      const deviceNames = await namedDevices(options);
      const session = openSession(io, options);
      const task = await session.api.reinitiate(taskId, deviceNames ? { deviceNames } : {});
      await answerNewTask(session, task, {
        watch: options.watch,
        text: () =>
          `Task ${task.id} re-initiates ${plural(task.counts.total, 'failed device')} of ${taskId}, ` +
          `to ${firmwareName(task.firmware)}.`,
      });
    });

export const cancelCommand = (io: Io): Command =>
  operatingCommand('cancel', 'cancel a task, or one device of it', [
    'ferry cancel h3k9',
    'ferry cancel h3k9 --device T-0001',
  ])
    .addArgument(TASK)
    .option('--device <name>', 'only this device')
    .action(async (taskId: string, options: { device?: string }) => {
      const session = openSession(io, options);
      if (options.device !== undefined) {
        const update = await session.api.cancelDeviceUpdate(taskId, options.device);
        session.answer(update, () => `The update of ${update.deviceName} in task ${taskId} is being cancelled.`);
        return;
      }
      const task = await session.api.cancelTask(taskId);
      session.answer(task, () => `Task ${task.id} is being cancelled. What devices have finished stays as it is.`);
    });

export const endCommand = (io: Io): Command =>
  operatingCommand(
    'end',
    'end a verification early: its open device updates are cancelled; its firmware is verified if a device was reached',
    ['ferry end h3k9'],
  )
    .addArgument(TASK)
    .action(async (taskId: string, options: object) => {
      const session = openSession(io, options);
      const task = await session.api.endVerification(taskId);
      session.answer(
        task,
        () => `Verification ${task.id} is being ended; ${firmwareName(task.firmware)} is verified then.`,
      );
    });
