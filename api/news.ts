import type { AuditDraft } from '../records/records.js';
import type { ApiLog } from './deps.js';

/** What operators do, as the service's log says it: what the audit log calls it, and a sentence for people. */
const SENTENCES: Readonly<Record<string, string>> = {
  'product.create': 'a product was created',
  'product.trust': 'the trusted keys of a product were changed',
  'device.register': 'devices were registered',
  'device.rotate-secret': 'a device got another secret',
  'device.revoke': 'a device was revoked',
  'device.restore': 'a revoked device may sign in again',
  'firmware.add': 'a firmware was added',
  'firmware.download': 'the file of a firmware was fetched',
  'firmware.delete': 'a firmware was deleted',
  'verification.create': 'a verification was created',
  'verification.end': 'a verification is ended early',
  'batch.create': 'a batch update was created',
  'task.reinitiate': 'failed devices of a task were re-initiated',
  'task.approve': 'a batch update was approved',
  'task.reject': 'a batch update was rejected',
  'task.cancel': 'a task is cancelled',
  'device-update.cancel': 'the update of a device is cancelled',
  'token.create': 'a token was created',
  'token.revoke': 'a token was revoked',
  'session.begin': 'an operator signed in',
  'session.end': 'an operator signed out',
  'records.forget': 'old records are deleted',
  'service.examine': 'the service was examined',
};

/** Of the answer, only this goes to the log: an answer may hold secrets. */
function gistOf(answer: Readonly<Record<string, unknown>> | undefined): { task?: string; devices?: number } {
  const { id, counts, devices } = answer ?? {};
  const total = (counts as { total?: unknown } | undefined)?.total;
  if (typeof id === 'string' && typeof total === 'number') return { task: id, devices: total };
  return Array.isArray(devices) ? { devices: devices.length } : {};
}

/** Tells the log what was done. Refusals are in the audit log only. */
export function tellNews(
  log: Pick<ApiLog, 'info'>,
  { action, actor, target, productKey, outcome }: AuditDraft,
  answer: Readonly<Record<string, unknown>> | undefined,
): void {
  if (outcome !== 'done') return;
  log.info(
    {
      action,
      by: actor,
      ...(target !== null && { target }),
      ...(productKey !== null && { productKey }),
      ...gistOf(answer),
    },
    SENTENCES[action] ?? action,
  );
}
