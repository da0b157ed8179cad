import { Command, CommanderError, Help, type Option } from 'commander';
import { approveCommand, rejectCommand } from './commands/approvals.js';
import { auditCommand } from './commands/audit.js';
import { backupCommand } from './commands/backup.js';
import { batchCommand } from './commands/batch.js';
import { demoCommand } from './commands/demo.js';
import { deviceCommand } from './commands/device.js';
import { devicesCommand } from './commands/devices.js';
import { doctorCommand } from './commands/doctor.js';
import { failuresCommand } from './commands/failures.js';
import { firmwareCommand } from './commands/firmware.js';
import { keysCommand } from './commands/keys.js';
import { productCommand } from './commands/product.js';
import { recordsCommand } from './commands/records.js';
import { replayCommand } from './commands/replay.js';
import { cancelCommand, endCommand, reinitiateCommand } from './commands/requests.js';
import { restoreCommand } from './commands/restore.js';
import { simulateCommand } from './commands/simulate.js';
import { taskCommand, tasksCommand, watchCommand } from './commands/tasks.js';
import { tlsCommand } from './commands/tls.js';
import { tokenCommand } from './commands/token.js';
import { startService, upCommand, type StartService } from './commands/up.js';
import { verifyCommand } from './commands/verify.js';
import type { Io } from './io.js';
import { endingOf } from './problem-text.js';
import { SERVICE_GROUP } from './session.js';

export interface ProgramOptions {
  readonly version: string;
  readonly start: StartService;
}

const GROUPS = {
  run: 'Run:',
  prepare: 'Prepare:',
  update: 'Update:',
  follow: 'Follow:',
  keep: 'Keep:',
  secure: 'Secure:',
} as const;

/** The `ferry` command; `runCli` runs it. */
export function createProgram(io: Io, { version, start }: ProgramOptions): Command {
  const program = new Command('ferry')
    .description('Firmware updates for device fleets.')
    .version(version, '-V, --version', 'show the version')
    .helpCommand(true)
    // An option before the command is ferry's own; so commands can have a --version too.
    .enablePositionalOptions();
  const add = (group: string, commands: readonly Command[]) =>
    commands.forEach((command) => program.addCommand(command.helpGroup(group)));
  add(GROUPS.run, [upCommand(io, start), demoCommand(io, start), simulateCommand(io)]);
  add(GROUPS.prepare, [productCommand(io), deviceCommand(io), devicesCommand(io), firmwareCommand(io)]);
  add(GROUPS.update, [verifyCommand(io), batchCommand(io), approveCommand(io), rejectCommand(io)]);
  add(GROUPS.update, [reinitiateCommand(io), cancelCommand(io), endCommand(io)]);
  add(GROUPS.follow, [tasksCommand(io), taskCommand(io), watchCommand(io), failuresCommand(io), replayCommand(io)]);
  add(GROUPS.keep, [doctorCommand(io), recordsCommand(io), backupCommand(io), restoreCommand(io)]);
  add(GROUPS.secure, [tokenCommand(io), auditCommand(io), keysCommand(io), tlsCommand(io)]);
  each(program, (command) => {
    command.exitOverride().configureOutput({
      writeOut: (text) => void io.out.write(text),
      writeErr: (text) => void io.err.write(text),
      getOutHelpWidth: () => io.out.columns ?? 100,
      getErrHelpWidth: () => io.err.columns ?? 100,
    });
    command.configureHelp({ groupItems: serviceLast });
    command.showHelpAfterError('(--help shows how it is used)');
  });
  return program;
}

/** The options that are the same everywhere come last. */
function serviceLast<T extends Command | Option>(
  unsorted: T[],
  visible: T[],
  groupOf: (item: T) => string,
): Map<string, T[]> {
  const groups = new Help().groupItems(unsorted, visible, groupOf);
  const service = groups.get(SERVICE_GROUP);
  if (service && groups.delete(SERVICE_GROUP)) groups.set(SERVICE_GROUP, service);
  return groups;
}

function each(command: Command, visit: (command: Command) => void): void {
  visit(command);
  command.commands.forEach((inner) => each(inner, visit));
}

/**
 * Runs a command line.
 *
 * @returns the exit code: 0 done, 1 refused or failed, 2 used wrongly, 130 interrupted
 */
export async function runCli(argv: readonly string[], io: Io, options: Partial<ProgramOptions> = {}): Promise<number> {
  try {
    await createProgram(io, { version: '0.0.0', start: startService, ...options }).parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { exitCode, text, problem } = endingOf(error);
    const isJson = problem !== undefined && argv.includes('--json');
    io.err.write(isJson ? `${JSON.stringify(problem, null, 2)}\n` : `error: ${text}\n`);
    return exitCode;
  }
}
