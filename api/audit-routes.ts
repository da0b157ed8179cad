import { setImmediate } from 'node:timers/promises';
import { z } from '@hono/zod-openapi';
import { ChainCheck } from '../records/audit-chain.js';
import type { AuditEntry, Records } from '../records/records.js';
import { iso, pageAnswer } from './answers.js';
import { auditAnswer } from './audit.js';
import { Permission } from './auth.js';
import { csvOf } from './csv.js';
import { json, operation } from './operation.js';
import { AuditCsvQuery, AuditQuery } from './requests.js';
import { newRouter } from './router.js';
import { narrowed, Scope } from './scope.js';
import { AuditEntrySchema, AuditVerificationSchema, pageOf } from './schemas.js';

const listAudit = operation({
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
  method: 'get',
  path: '/v1/audit/verification',
  tag: 'Audit',
  summary: 'Check the chain of the audit log from its beginning',
  description:
    'Each entry’s hash covers the one before. Keep the last hash elsewhere, and ask for it later: a log that was written anew does not have it any more.',
  permission: Permission.READ_AUDIT,
  scope: Scope.SERVICE,
  responses: { 200: json(AuditVerificationSchema, 'What was found') },
  problems: [],
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

export function auditRoutes({ records }: { readonly records: Pick<Records, 'listAudit' | 'auditChain'> }) {
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
    .openapi(verifyAudit, async (c) => {
      const check = new ChainCheck();
      for (let afterId = 0; ;) {
        // Reading is synchronous: without a turn for others, a long log would stop everything.
        await setImmediate();
        const entries = await records.auditChain(afterId, PAGE);
        for (const entry of entries) {
          const fault = check.next(entry);
          if (fault) return c.json({ entries: check.checked, lastHash: check.lastHash, fault }, 200);
          afterId = entry.id;
        }
        if (entries.length < PAGE)
          return c.json({ entries: check.checked, lastHash: check.lastHash, fault: null }, 200);
      }
    });
}

const lineOf = ({ atMs, ...entry }: AuditEntry) => ({ ...entry, at: iso(atMs) });
