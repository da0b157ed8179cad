import { setImmediate } from 'node:timers/promises';
import { z } from '@hono/zod-openapi';
import { ChainCheck, type ChainFault } from '../records/audit-chain.js';
import type { AuditEntry, Records } from '../records/records.js';
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

async function verified(records: Pick<Records, 'auditChain' | 'auditAnchor'>): Promise<AuditVerificationAnswer> {
  const anchor = await records.auditAnchor();
  const after = anchor && { id: anchor.entryId, hash: anchor.hash };
  const check = new ChainCheck(after);
  const answer = (fault: ChainFault | null): AuditVerificationAnswer => ({
    ...{ entries: check.checked, lastHash: check.lastHash, fault },
    archived: anchor && after ? { ...after, archivedAt: iso(anchor.archivedAtMs) } : null,
  });
  for await (const entries of pagesOfChain(records)) {
    for (const entry of entries) {
      const fault = check.next(entry);
      if (fault) return answer(fault);
    }
  }
  return answer(null);
}

/** With a breath for everything else after each page: the records answer without one. */
async function* pagesOfChain(records: Pick<Records, 'auditChain'>): AsyncGenerator<readonly AuditEntry[]> {
  for (let afterId = 0; ;) {
    const entries = await records.auditChain(afterId, PAGE);
    yield entries;
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

async function* linesOf(records: Pick<Records, 'auditChain'>, beforeMs: number): AsyncGenerator<string> {
  for await (const entries of pagesOfChain(records)) {
    const end = entries.findIndex(({ atMs }) => atMs >= beforeMs);
    const old = end < 0 ? entries : entries.slice(0, end);
    if (old.length > 0) yield old.map((entry) => `${JSON.stringify(entry)}\n`).join('');
    if (end >= 0) return;
  }
}

const lineOf = ({ atMs, ...entry }: AuditEntry) => ({ ...entry, at: iso(atMs) });
