import { Option, type Command } from 'commander';
import { eachItem } from '../../api/client.js';
import type { AuditEntryAnswer } from '../../api/schemas.js';
import type { Io } from '../io.js';
import { operatingCommand } from '../operating-command.js';
import { addPagingOptions, pageOf, pageText, type PagingOptions } from '../paging.js';
import { localTime } from '../printable.js';
import { openSession, type Session } from '../session.js';
import { table } from '../table.js';
import { CommandFailed } from '../usage-error.js';

interface AuditOptions extends PagingOptions {
  readonly actor?: string;
  readonly action?: string;
  readonly target?: string;
  readonly product?: string;
  readonly csv?: boolean;
}

export const auditCommand = (io: Io): Command =>
  addPagingOptions(
    operatingCommand('audit', 'who changed what, or tried to, newest first', [
      'ferry audit --actor ada',
      'ferry audit --target task/h3k9 --json',
      'ferry audit --csv > audit.csv',
      'ferry audit verify',
    ]),
  )
    .option('--actor <name>', 'only what this person or program did')
    .option('--action <action>', 'only this, such as task.cancel')
    .option('--target <target>', 'only what was done to this, such as task/h3k9')
    .option('--product <key>', 'only of this product')
    .addOption(new Option('--csv', 'all of it, as CSV').conflicts('json'))
    // What comes after "verify" is its own.
    .enablePositionalOptions()
    .addCommand(verify(io))
    .action(async ({ actor, action, target, product, csv, ...options }: AuditOptions) => {
      const session = openSession(io, options);
      const filter = { actor, action, target, productKey: product };
      if (csv === true) {
        for await (const piece of session.api.auditCsv(filter)) io.out.write(piece);
        return;
      }
      const page = await session.api.listAudit({ ...pageOf(options), ...filter });
      session.answer(page, () => pageText(page, { none: 'Nothing matches.', text: auditTable }));
    });

const auditTable = (entries: readonly AuditEntryAnswer[]): string =>
  table(
    ['#', 'time', 'who', 'from', 'did', 'to', 'outcome'],
    entries.map((entry) => [
      entry.id,
      localTime(entry.at),
      entry.actor,
      entry.address,
      entry.action,
      entry.target,
      entry.outcome,
    ]),
  );

const verify = (io: Io): Command =>
  operatingCommand('verify', 'check the chain of the audit log from its beginning', [
    'ferry audit verify',
    'ferry audit verify --expect 3f9a…  (a hash that an earlier run has printed)',
  ])
    .option('--expect <hash>', 'a last hash of earlier: an entry must still have it')
    .action(async ({ expect, ...options }: { expect?: string }) => {
      const session = openSession(io, options);
      const found = await session.api.verifyAudit();
      if (found.fault) {
        throw new CommandFailed(`The audit log is broken: entry ${found.fault.id} ${found.fault.problem}.`);
      }
      if (expect !== undefined && !(await hasHash(session, expect))) {
        throw new CommandFailed(`No entry has the hash ${expect}: the log was written anew since then.`);
      }
      session.answer(
        found,
        () => `${found.entries} entries, all as they were written. Keep the last hash elsewhere: ${found.lastHash}`,
      );
    });

async function hasHash({ api }: Session, hash: string): Promise<boolean> {
  for await (const entry of eachItem(api.listAudit)) if (entry.hash === hash) return true;
  return false;
}
