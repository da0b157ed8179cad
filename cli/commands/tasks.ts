import { Argument, Option, type Command } from 'commander';
import { TaskStatus } from '../../domain/update-task.js';
import { findFirmware } from '../firmware-name.js';
import type { Io } from '../io.js';
import { operatingCommand } from '../operating-command.js';
import { addPagingOptions, pageOf, pageText, type PagingOptions } from '../paging.js';
import { openSession } from '../session.js';
import { deviceUpdatesTable, tasksTable, taskText } from '../task-view.js';
import { WATCH_EXIT_CODES, watchTask } from '../watching.js';

export const TASK = new Argument('<task>', 'id of an update task');

interface TasksOptions extends PagingOptions {
  readonly firmware?: string;
  readonly product?: string;
  readonly kind?: 'verification' | 'batch';
  readonly status?: TaskStatus;
}

/** @param name `tasks`, or `list` below `task` */
export const tasksCommand = (io: Io, name = 'tasks'): Command =>
  addPagingOptions(
    operatingCommand(name, 'list update tasks, newest first: the update operation records', [
      'ferry tasks --product thermostat',
      'ferry tasks --firmware main@2.0.0 --kind batch --status running',
    ]),
  )
    .option('--firmware <firmware>', 'only of this firmware: id, or name@version')
    .option('--product <key>', 'only of this product')
    .addOption(new Option('--kind <kind>').choices(['verification', 'batch']))
    .addOption(new Option('--status <status>').choices(Object.values(TaskStatus)))
    .action(async (options: TasksOptions) => {
      const session = openSession(io, options);
      const { firmware, product, kind, status } = options;
      const page = await session.api.listTasks({
        ...pageOf(options),
        ...(firmware === undefined ? {} : { firmwareId: (await findFirmware(session.api, firmware, { product })).id }),
        ...(product === undefined ? {} : { productKey: product }),
        ...(kind === undefined ? {} : { kind }),
        ...(status === undefined ? {} : { status }),
      });
      session.answer(page, () => pageText(page, { none: 'No update task matches.', text: tasksTable }));
    });

interface TaskOptions extends PagingOptions {
  readonly devices?: boolean;
}

export const taskCommand = (io: Io): Command =>
  addPagingOptions(
    operatingCommand('task', 'an update task: its counts, its policy, its run; with --devices its device updates', [
      'ferry task h3k9 --devices',
    ]),
  )
    .addArgument(TASK)
    // What comes after "list" is its own.
    .enablePositionalOptions()
    .addCommand(tasksCommand(io, 'list'))
    .option('--devices', 'list its device updates: where each stands, and what it waits for')
    .action(async (taskId: string, options: TaskOptions) => {
      const session = openSession(io, options);
      if (options.devices === true) {
        const page = await session.api.listDeviceUpdates(taskId, pageOf(options));
        session.answer(page, () => pageText(page, { none: 'It has no device.', text: deviceUpdatesTable }));
        return;
      }
      const task = await session.api.getTask(taskId);
      session.answer(task, () => taskText(task));
    });

export const watchCommand = (io: Io): Command =>
  operatingCommand('watch', 'follow an update task live to its end: bars on a terminal, lines elsewhere', [
    'ferry watch h3k9',
    'ferry watch h3k9 --json | jq .counts',
  ])
    .addArgument(TASK)
    .addHelpText('after', WATCH_EXIT_CODES)
    .action((taskId: string, options: object) => watchTask(openSession(io, options), taskId));
