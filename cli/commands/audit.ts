import { open, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { eachItem } from '../../api/client.js';
import type { AuditEntryAnswer, AuditVerificationAnswer } from '../../api/schemas.js';
import type { CheckedArchives } from '../../worker/audit-archive.js';
import { parseDuration } from '../durations.js';
import type { Io } from '../io.js';
import { operatingCommand } from '../operating-command.js';
import { addPagingOptions, pageOf, pageText, type PagingOptions } from '../paging.js';
import { localTime } from '../printable.js';
import { openSession, type Session } from '../session.js';
import { fileWord, shellLine } from '../shell-word.js';
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
      'ferry audit archive audit-2026.jsonl --older-than 365d',
    ]),
  )
    .option('--actor <name>', 'only what this person or program did')
    .option('--action <action>', 'only this, such as task.cancel')
    .option('--target <target>', 'only what was done to this, such as task/h3k9')
    .option('--product <key>', 'only of this product')
    .addOption(new Option('--csv', 'all of it, as CSV').conflicts('json'))
    // What comes after "verify" or "archive" is its own.
    .enablePositionalOptions()
    .addCommand(verify(io))
    .addCommand(archive(io))
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
  operatingCommand('verify', 'check the chain of the audit log from its beginning, or from the last archive on', [
    'ferry audit verify',
    'ferry audit verify --archive audit-2025.jsonl audit-2026.jsonl  (the archives too, oldest first)',
    'ferry audit verify --expect 3f9a…  (a hash that an earlier run has printed)',
  ])
    .option('--archive <files...>', 'what "ferry audit archive" has written, oldest first')
    .option('--expect <hash>', 'a last hash of earlier: an entry must still have it')
    .action(async ({ expect, archive: files, ...options }: { expect?: string; archive?: string[] }) => {
      const session = openSession(io, options);
      const found = await session.api.verifyAudit();
      if (found.fault) {
        throw new CommandFailed(`The audit log is broken: entry ${found.fault.id} ${found.fault.problem}.`);
      }
      const archived = files && (await checkedArchives(files, found));
      if (expect !== undefined && archived?.hashes.has(expect) !== true && !(await hasHash(session, found, expect))) {
        const place =
          found.archived && !archived ? ' If it is of an archived entry, name the archives: --archive.' : '';
        throw new CommandFailed(`No entry has the hash ${expect}: the log was written anew since then.${place}`);
      }
      session.answer(found, () => verifiedText(found, archived));
    });

function verifiedText({ entries, lastHash, archived }: AuditVerificationAnswer, checked?: CheckedArchives): string {
  const last = `Keep the last hash elsewhere: ${lastHash}`;
  if (!archived) return `${entries} entries, all as they were written. ${last}`;
  const before = checked
    ? `${checked.entries} entries in the archives` +
      (checked.after > 0 ? ` (those up to ${checked.after} are in archives that you have not named)` : '')
    : `The entries up to ${archived.id} are archived (--archive checks them)`;
  return `${before}, ${entries} after them, all as they were written. ${last}`;
}

/** @throws CommandFailed when the archives are not what the log was before */
async function checkedArchives(files: readonly string[], { archived }: AuditVerificationAnswer) {
  const { checkArchives } = await import('../../worker/audit-archive.js');
  const checked = await checkArchives(files);
  if (checked.problem !== null) throw new CommandFailed(`The archive is broken: ${checked.problem}.`);
  if (archived && checked.last.id === archived.id && checked.last.hash === archived.hash) return checked;
  throw new CommandFailed(
    archived
      ? `The archives end with entry ${checked.last.id} and hash ${checked.last.hash}; the log goes on after entry ${archived.id} with hash ${archived.hash}. Name all archives, oldest first.`
      : 'The log goes on after no archive: these are archives of another service, or of another time.',
  );
}

async function hasHash({ api }: Session, { archived }: AuditVerificationAnswer, expect: string): Promise<boolean> {
  if (archived?.hash === expect) return true;
  for await (const entry of eachItem(api.listAudit)) if (entry.hash === expect) return true;
  return false;
}

const archive = (io: Io): Command =>
  operatingCommand('archive', 'move old entries into a file; the log still proves the rest, and the file itself', [
    'ferry audit archive audit-2026.jsonl --older-than 365d',
  ])
    .argument('<file>', 'a new file; keep it: nothing else has these entries afterwards')
    .requiredOption('--older-than <time>', 'entries that are older, such as 365d', parseDuration)
    .action(async (path: string, { olderThan, ...options }: { readonly olderThan: number }) => {
      const session = openSession(io, options);
      const before = new Date(Date.now() - olderThan).toISOString();
      const last = await writtenArchive(path, session, before);
      if (!last) {
        session.answer(
          { id: null, archivedAt: null, deleted: 0 },
          () => `No entry is older than ${localTime(before)}.`,
        );
        return;
      }
      const archived = await session.api.archiveAudit(last);
      session.answer(
        archived,
        () =>
          `${archived.deleted} entries, up to number ${archived.id}, are in ${path} and no longer in the service. ` +
          `Keep the file; check it by: ferry audit verify --archive ${shellLine(fileWord(path))}`,
      );
    });

/**
 * Durable and checked before anything is deleted; of what can't be that, no file stays, since it would be in the way of
 * the next one.
 *
 * @returns its last entry; undefined, and no file, when there is none
 */
async function writtenArchive(path: string, { api }: Session, before: string) {
  const file = await open(path, 'wx', 0o600);
  try {
    try {
      for await (const piece of api.auditChain(before)) await file.write(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    const last = await checkedToArchive(path, api);
    if (last) await durable(path);
    else await rm(path);
    return last;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

/**
 * What comes after an archive is proven by it alone: it must follow what was archived before, or else entries that were
 * lost are never missed.
 *
 * @returns the last entry; undefined when there is none
 * @throws CommandFailed
 */
async function checkedToArchive(path: string, api: Session['api']) {
  const { checkArchives } = await import('../../worker/audit-archive.js');
  const { entries, after, afterHash, last, problem } = await checkArchives([path]);
  const broken = (what: string) =>
    new CommandFailed(`Nothing was archived, since the audit log is broken: ${what}. "ferry audit verify" says more.`);
  if (problem !== null) throw broken(problem);
  if (entries === 0) return undefined;
  const { archived } = await api.verifyAudit();
  const end = archived?.id ?? 0;
  if (after < end) {
    throw new CommandFailed(`Nothing was archived: the entries up to ${end} went into another archive meanwhile.`);
  }
  if (after > end) throw broken(`entries are missing between ${end} and ${after + 1}, its first`);
  if (archived && afterHash !== archived.hash)
    throw broken(`entry ${end + 1} does not continue what was archived before`);
  return last;
}

/** Syncs the folder of a new file: without its entry in the folder, a file is lost even if its content was synced. */
async function durable(path: string): Promise<void> {
  const { syncFolder } = await import('../../worker/backup/copying.js');
  await syncFolder(dirname(resolve(path)));
}
