import { Argument, Option, type Command } from 'commander';
import { ApiError, eachItem } from '../../api/client.js';
import type { Account, History } from '../../worker/replay/account.js';
import { readText } from '../input-file.js';
import type { Io } from '../io.js';
import { operatingCommand } from '../operating-command.js';
import { accountText, endOf, summaryText } from '../replay-text.js';
import { openSession, type Session } from '../session.js';
import { CommandFailed, UsageError } from '../usage-error.js';

interface ReplayOptions {
  readonly product?: string;
  readonly task?: string;
  readonly run?: string;
  readonly file?: string;
  readonly allFailed?: boolean;
  readonly events: 'story' | 'all';
}

/** A run to be replayed. */
interface Run {
  readonly workflowId: string;
  readonly runId?: string | undefined;
}

const EXAMPLES = [
  'ferry replay sim-00007 --product thermostat',
  'ferry replay h3k9 --json',
  'ferry replay --all-failed --task h3k9',
  'ferry replay device-update/thermostat/sim-00007 --run 0198…',
  'ferry replay --file history.json',
];

export const replayCommand = (io: Io): Command =>
  operatingCommand('replay', "replay a run's history against today's code, and tell it event by event", EXAMPLES)
    .addArgument(
      new Argument('[subject]', 'id of a task, name of a device (with --product or --task), or a workflow id'),
    )
    .option('--product <key>', 'the product of the device')
    .option('--task <id>', 'the task of the device, or of --all-failed; else the newest one of the device')
    .option('--run <id>', 'run of the workflow id (default: the newest)')
    .option('--all-failed', 'every failed device update of the task')
    .option('--file <path>', 'a history that was downloaded from the Temporal UI')
    .addOption(
      new Option('--events <which>', "story, or all: with the engine's own bookkeeping")
        .choices(['story', 'all'])
        .default('story'),
    )
    .action(async (subject: string | undefined, options: ReplayOptions) => {
      if (options.file !== undefined) {
        const account = await told(await historyOf(options.file), { workflowId: options.file });
        answer(io, options, [account]);
        return;
      }
      const session = openSession(io, options);
      answer(
        io,
        options,
        options.allFailed === true ? await allFailed(session, options) : [await one(session, subject, options)],
      );
    });

function answer(io: Io, options: ReplayOptions & { readonly json?: boolean }, accounts: readonly Account[]): void {
  const text = () => {
    const told = accounts.map((account) => accountText(account, options.events === 'all'));
    return [...told, ...(options.allFailed === true ? [summaryText(accounts)] : [])].join('\n');
  };
  const value = accounts.map((account) => ({ ...account, ...endOf(account) }));
  io.out.write(
    options.json === true ? `${JSON.stringify(options.allFailed === true ? value : value[0], null, 2)}\n` : text(),
  );
  const mismatches = accounts.filter(({ replay }) => !replay.matches).length;
  if (mismatches > 0) {
    throw new CommandFailed(
      `${mismatches} of ${accounts.length} ${accounts.length === 1 ? 'history does' : 'histories do'} not replay against this version's workflows: ` +
        'an open run of that kind would stand still under it (docs/versioning.md).',
    );
  }
}

async function one(session: Session, subject: string | undefined, options: ReplayOptions): Promise<Account> {
  if (subject === undefined) {
    throw new UsageError(
      'Name a task, a device (with --product or --task) or a workflow id, or give --all-failed --task or --file.',
    );
  }
  return replayed(session, await find(session, subject, options));
}

async function find({ api }: Session, subject: string, { product, task, run }: ReplayOptions): Promise<Run> {
  if (subject.includes('/')) return { workflowId: subject, runId: run };
  if (task !== undefined) {
    const { items } = await api.listDeviceUpdates(task, { search: subject, limit: 500 });
    return begun(items.find(({ deviceName }) => deviceName === subject)?.workflow, `${subject} in task ${task}`);
  }
  if (product !== undefined) {
    const { items } = await api.listDeviceHistory(product, subject, { limit: 1 });
    return begun(items[0]?.workflow, `${product}/${subject}`);
  }
  const { workflow } = await api.getTask(subject).catch((error: unknown) => {
    if (!(error instanceof ApiError) || error.code !== 'not-found') throw error;
    throw new CommandFailed(`There is no task ${subject}. A device needs its --product or --task.`);
  });
  return begun(workflow, `Task ${subject}`);
}

function begun(workflow: { id: string; runId: string | null } | undefined, what: string): Run {
  if (!workflow) throw new CommandFailed(`${what} has had no update.`);
  if (workflow.runId === null) throw new CommandFailed(`${what} has no run: it has not begun, or was refused as busy.`);
  return { workflowId: workflow.id, runId: workflow.runId };
}

/** One after the other, since a batch may have thousands; they are told once the last one has been replayed. */
async function allFailed(session: Session, { task }: ReplayOptions): Promise<Account[]> {
  if (task === undefined) throw new UsageError('--all-failed needs --task.');
  const accounts: Account[] = [];
  const failed = eachItem((page) => session.api.listDeviceUpdates(task, { outcome: 'failed', ...page }));
  for await (const { workflow, deviceName, cause } of failed) {
    if (workflow.runId === null)
      session.remark(`${deviceName}: ${cause ?? 'failed'}; it has no run of its own to replay.\n`);
    else accounts.push(await replayed(session, { workflowId: workflow.id, runId: workflow.runId }));
  }
  return accounts;
}

async function replayed({ api }: Session, run: Run): Promise<Account> {
  return told(await api.workflowHistory(run.workflowId, run.runId), run);
}

async function told(json: unknown, { workflowId, runId }: Run): Promise<Account> {
  // Loaded only here: the other commands start fast without a worker.
  const { accountOf, historyFromJSON } = await import('../../worker/replay/account.js');
  const { silenceSdkLog } = await import('../../worker/log.js');
  silenceSdkLog();
  const account = await accountOf(parsed(historyFromJSON, json), workflowId);
  return runId === undefined ? account : { ...account, runId };
}

function parsed(read: (json: unknown) => History, json: unknown): History {
  try {
    const history = read(json);
    if ((history.events ?? []).length > 0) return history;
  } catch {
    // Said below.
  }
  throw new CommandFailed('This is no history of a Temporal run.');
}

async function historyOf(path: string): Promise<unknown> {
  const text = await readText(path);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new CommandFailed(`${path} is no JSON. Download the history as JSON from the Temporal UI.`);
  }
}
