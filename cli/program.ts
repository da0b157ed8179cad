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
import { productCommand, productsCommand } from './commands/product.js';
import { recordsCommand } from './commands/records.js';
import { replayCommand } from './commands/replay.js';
import { cancelCommand, endCommand, reinitiateCommand } from './commands/requests.js';
import { restoreCommand } from './commands/restore.js';
import { simulateCommand } from './commands/simulate.js';
import { taskCommand, tasksCommand, watchCommand } from './commands/tasks.js';
import { tlsCommand } from './commands/tls.js';
import { tokenCommand, tokensCommand } from './commands/token.js';
import { startService, upCommand, type StartService } from './commands/up.js';
import { verifyCommand } from './commands/verify.js';
import type { Io } from './io.js';
import { endingOf } from './problem-text.js';
import { SERVICE_GROUP } from './session.js';
import { UsageError } from './usage-error.js';

export interface ProgramOptions {
  readonly version: string;
  readonly start: StartService;
  /** Errors are written as JSON, by `runCli`. */
  readonly isJson?: boolean;
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
export function createProgram(io: Io, { version, start, isJson = false }: ProgramOptions): Command {
  const program = new Command('ferry')
    .description('Firmware updates for device fleets.')
    .version(version, '-V, --version', 'show the version')
    .helpCommand(true)
    // An option before the command is ferry's own; so commands can have a --version too.
    .enablePositionalOptions()
    .addHelpText('after', EXIT_CODES)
    .hook('preAction', (_program, command) => refuseEmpty(command));
  const add = (group: string, commands: readonly Command[]) =>
    commands.forEach((command) => program.addCommand(command.helpGroup(group)));
  add(GROUPS.run, [upCommand(io, start), demoCommand(io, start), simulateCommand(io)]);
  add(GROUPS.prepare, [
    productCommand(io),
    productsCommand(io),
    deviceCommand(io),
    devicesCommand(io),
    firmwareCommand(io),
  ]);
  add(GROUPS.update, [verifyCommand(io), batchCommand(io), approveCommand(io), rejectCommand(io)]);
  add(GROUPS.update, [reinitiateCommand(io), cancelCommand(io), endCommand(io)]);
  add(GROUPS.follow, [tasksCommand(io), taskCommand(io), watchCommand(io), failuresCommand(io), replayCommand(io)]);
  add(GROUPS.keep, [doctorCommand(io), recordsCommand(io), backupCommand(io), restoreCommand(io)]);
  add(GROUPS.secure, [tokenCommand(io), tokensCommand(io), auditCommand(io), keysCommand(io), tlsCommand(io)]);
  each(program, (command) => {
    command.exitOverride().configureOutput({
      writeOut: (text) => void io.out.write(text),
      writeErr: (text) => {
        if (!isJson) io.err.write(text);
      },
      getOutHelpWidth: () => io.out.columns ?? 100,
      getErrHelpWidth: () => io.err.columns ?? 100,
    });
    command.configureHelp({ groupItems: serviceLast, optionDescription: describedOption });
    command.showHelpAfterError('(--help shows how it is used)');
  });
  return program;
}

const EXIT_CODES = `
Exit codes: 0 done; 1 refused or failed; 2 used wrongly; 130 ended by Ctrl-C. Of "watch" and "--watch" also:
3 a device failed; 4 no device failed, but the task or some of its devices were cancelled or rejected.
With --json, answers are JSON on the standard output (events of "watch" and "simulate" one a line), and errors are
JSON on the standard error, with a "code" and a "detail". Times are shown in the time zone of TZ; JSON has UTC.
`;

/** A required option says so; its default is said as it would be typed. */
function describedOption(option: Option): string {
  const text = new Help().optionDescription(option);
  return option.mandatory ? `${text} (required)` : text;
}

/** Arguments that name a place in the file system. */
const PATHS: ReadonlySet<string> = new Set(['file', 'folder']);

/** An empty word is most often a variable that is not set, and would mean another path of the API, as dots would. */
function refuseEmpty(command: Command): void {
  command.args.forEach((word, index) => {
    const argument = command.registeredArguments[index] ?? command.registeredArguments.at(-1);
    const name = argument?.name() ?? 'argument';
    if (word === '') throw new UsageError(`The argument <${name}> is empty.`);
    if (/^\.\.?$/.test(word) && !PATHS.has(name)) throw new UsageError(`<${name}>: "${word}" is no id and no name.`);
  });
  for (const option of command.options) {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) === 'cli' && command.getOptionValue(name) === '' && name !== 'remark') {
      throw new UsageError(`${option.long ?? option.flags} is empty: give it a value, or leave it out.`);
    }
  }
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
 * @returns the exit code: 0 done, 1 refused or failed, 2 used wrongly, 3 and 4 a watched task that did not succeed
 *   (watching.ts), 130 interrupted
 */
export async function runCli(argv: readonly string[], io: Io, options: Partial<ProgramOptions> = {}): Promise<number> {
  const isJson = argv.includes('--json');
  try {
    const program = createProgram(io, { version: '0.0.0', start: startService, isJson, ...options });
    await program.parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    const isUsage = error instanceof CommanderError;
    if (isUsage && error.exitCode === 0) return 0;
    const ending = endingOf(isUsage ? new UsageError(error.message.replace(/^error: /, '')) : error);
    if (isJson && ending.text !== null) io.err.write(`${JSON.stringify(ending.problem, null, 2)}\n`);
    else if (!isUsage && ending.text !== null) io.err.write(`error: ${ending.text}\n`);
    return ending.exitCode;
  }
}
