import { setImmediate } from 'node:timers/promises';
import { z } from '@hono/zod-openapi';
import { ChainCheck, type ChainFault } from '../records/audit-chain.js';
import type { AuditAnchor, AuditEntry, Records } from '../records/records.js';
import { iso, pageAnswer } from './answers.js';
import { auditAnswer } from './audit.js';
import { Permission } from './auth.js';
import { csvOf } from './csv.js';
import { json, jsonBody, operation } from './operation.js';
import { ArchiveAudit, AuditChainQuery, AuditCsvQuery, AuditQuery } from './requests.js';
import { newRouter } from './router.js';
import { narrowed, Scope } from './scope.js';
import {
  AuditArchivedSchema,
  AuditEntrySchema,
  AuditVerificationSchema,
  pageOf,
  type AuditVerificationAnswer,
} from './schemas.js';

const listAudit = operation({
  id: 'listAudit',
  method: 'get',
  path: '/v1/audit',
  tag: 'Audit',
  summary: 'List who changed what, or tried to, newest first',
  permission: Permission.READ_AUDIT,
  scope: Scope.NARROWED,
  request: { query: AuditQuery },
  responses: { 200: json(pageOf(AuditEntrySchema), 'A page of the audit log') },
  problems: ['not-found'],
});

const exportAudit = operation({
  id: 'exportAudit',
  method: 'get',
  path: '/v1/audit.csv',
  tag: 'Audit',
  summary: 'Export the audit log as CSV, newest first',
  permission: Permission.READ_AUDIT,
  scope: Scope.NARROWED,
  request: { query: AuditCsvQuery },
  responses: { 200: { description: 'One line an entry', content: { 'text/csv': { schema: z.string() } } } },
  problems: ['not-found'],
});

const verifyAudit = operation({
  id: 'verifyAudit',
  method: 'get',
  path: '/v1/audit/verification',
  tag: 'Audit',
  summary: 'Check the chain of the audit log from its beginning, or from the last archive',
  description:
    'Each entry’s hash covers the one before. Keep the last hash elsewhere, and ask for it later: a log that was written anew does not have it any more.',
  permission: Permission.READ_AUDIT,
  scope: Scope.SERVICE,
  responses: { 200: json(AuditVerificationSchema, 'What was found') },
  problems: [],
});

const chain = operation({
  id: 'listAuditChain',
  method: 'get',
  path: '/v1/audit/chain',
  tag: 'Audit',
  summary: 'Read the oldest entries of the audit log as they are hashed, for an archive',
  description:
    'JSON, one entry a line, in the order of the chain. Entries that were archived before are not among them.',
  permission: Permission.READ_AUDIT,
  scope: Scope.SERVICE,
  request: { query: AuditChainQuery },
  responses: { 200: { description: 'One line an entry', content: { 'text/jsonl': { schema: z.string() } } } },
  problems: [],
});

const archive = operation({
  id: 'archiveAudit',
  method: 'post',
  path: '/v1/audit/archive',
  tag: 'Audit',
  summary: 'Delete the entries of the audit log that are archived elsewhere',
  description:
    'Those up to the entry that is named. Its hash is kept for ever, so that the entries after it still prove that nothing was changed, and the archive proves itself by it. Repeatable.',
  permission: Permission.FORGET,
  scope: Scope.SERVICE,
  action: 'audit.archive',
  request: { body: jsonBody(ArchiveAudit) },
  responses: { 200: json(AuditArchivedSchema, 'Up to where, and what was deleted') },
  problems: ['not-found'],
});

const PAGE = 500;
const COLUMNS = [
  'id',
  'at',
  'actor',
  'action',
  'target',
  'productKey',
  'address',
  'outcome',
  'before',
  'after',
  'hash',
] as const;

type AuditRecords = Pick<Records, 'listAudit' | 'auditChain' | 'auditAnchor' | 'anchorAudit' | 'dropArchivedAudit'>;

export function auditRoutes({ records, now }: { readonly records: AuditRecords; readonly now: () => number }) {
  return newRouter()
    .openapi(listAudit, async (c) => {
      const { limit, cursor, productKey, ...filter } = c.req.valid('query');
      const found = await records.listAudit({ ...filter, productKey: narrowed(c, productKey) }, { limit, cursor });
      return c.json(pageAnswer(found, auditAnswer), 200);
    })
    .openapi(exportAudit, async (c) => {
      const { productKey, ...filter } = c.req.valid('query');
      const whole = { ...filter, productKey: narrowed(c, productKey) };
      const page = async (cursor: string | undefined) =>
        pageAnswer(await records.listAudit(whole, { limit: PAGE, cursor }), lineOf);
      return c.body(
        csvOf(COLUMNS, page, (line) => line),
        200,
        {
          'Content-Type': 'text/csv; charset=utf-8',
          'Content-Disposition': 'attachment; filename="audit.csv"',
        },
      );
    })
    .openapi(verifyAudit, async (c) => c.json(await verified(records), 200))
    .openapi(chain, async (c) => {
      const beforeMs = Date.parse(c.req.valid('query').before);
      return c.body(streamOf(linesOf(records, beforeMs)), 200, { 'Content-Type': 'text/jsonl; charset=utf-8' });
    })
    .openapi(archive, async (c) => {
      const { entryId, archivedAtMs } = await records.anchorAudit(c.req.valid('json'), now());
      let deleted = 0;
      for (let piece = -1; piece !== 0; deleted += piece) {
        piece = await records.dropArchivedAudit(PAGE);
        await setImmediate();
      }
      return c.json({ id: entryId, archivedAt: iso(archivedAtMs), deleted }, 200);
    });
}

type ChainRecords = Pick<Records, 'auditChain' | 'auditAnchor'>;

async function verified(records: ChainRecords): Promise<AuditVerificationAnswer> {
  let begin: AuditAnchor | undefined;
  let check = new ChainCheck();
  let found: ChainFault | undefined;
  for await (const { anchor, entries } of pagesOfChain(records)) {
    if (anchor?.entryId !== begin?.entryId) {
      begin = anchor;
      check = new ChainCheck(anchor && { id: anchor.entryId, hash: anchor.hash });
    }
    for (const entry of entries) {
      found = check.next(entry);
      if (found) break;
    }
    if (found) break;
  }
  return {
    ...{ entries: check.checked, lastHash: check.lastHash, fault: found ?? null },
    archived: begin ? { id: begin.entryId, hash: begin.hash, archivedAt: iso(begin.archivedAtMs) } : null,
  };
}

interface ChainPage {
  /** Where the chain begins; another than with the page before: it begins anew with this page. */
  readonly anchor: AuditAnchor | undefined;
  readonly entries: readonly AuditEntry[];
}

/**
 * The entries of the log, oldest first. Other requests have their turn after each page, since the records themselves leave
 * them none. An archive may be made between two pages. If it goes beyond the entries that were read, the pages begin anew
 * after it: archived entries are no gap.
 */
async function* pagesOfChain(records: ChainRecords): AsyncGenerator<ChainPage> {
  let anchor = await records.auditAnchor();
  for (let afterId = anchor?.entryId ?? 0; ;) {
    const entries = await records.auditChain(afterId, PAGE);
    // Asked after the entries were read, since an archive in between may have taken some of them.
    const newest = await records.auditAnchor();
    if (newest && newest.entryId > afterId) {
      anchor = newest;
      afterId = newest.entryId;
      continue;
    }
    yield { anchor, entries };
    const last = entries.at(-1);
    if (entries.length < PAGE || !last) return;
    afterId = last.id;
    await setImmediate();
  }
}

function streamOf(pieces: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const next = await pieces.next();
      if (next.done === true) controller.close();
      else controller.enqueue(encoder.encode(next.value));
    },
    async cancel() {
      await pieces.return(undefined);
    },
  });
}

/** @throws Error when another archive takes entries that were not read yet: a file with a gap would be no chain */
async function* linesOf(records: ChainRecords, beforeMs: number): AsyncGenerator<string> {
  let begin: ChainPage | undefined;
  for await (const page of pagesOfChain(records)) {
    begin ??= page;
    if (page.anchor?.entryId !== begin.anchor?.entryId) {
      throw new Error('another archive has taken entries of the audit log that were about to be read');
    }
    const end = page.entries.findIndex(({ atMs }) => atMs >= beforeMs);
    const old = end < 0 ? page.entries : page.entries.slice(0, end);
    if (old.length > 0) yield old.map((entry) => `${JSON.stringify(entry)}\n`).join('');
    if (end >= 0) return;
  }
}

const lineOf = ({ atMs, ...entry }: AuditEntry) => ({ ...entry, at: iso(atMs) });
