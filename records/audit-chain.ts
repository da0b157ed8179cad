import { createHash } from 'node:crypto';
import type { AuditDraft, AuditEntry } from './records.js';

/** What the first entry's hash covers in the place of an entry before it. */
export const CHAIN_BEGIN = '0'.repeat(64);

/** Hex SHA-256 over the previous hash and the entry's members, in this order, as a JSON array. */
export function auditHash(previousHash: string, id: number, draft: AuditDraft): string {
  const { atMs, actor, action, target, productKey, address, outcome, before, after } = draft;
  const members = [previousHash, id, atMs, actor, action, target, productKey, address, outcome, before, after];
  return createHash('sha256').update(JSON.stringify(members)).digest('hex');
}

/** Where a chain is broken: the first entry that is not as it was written, or does not follow the one before. */
export interface ChainFault {
  readonly id: number;
  readonly problem: string;
}

/** An entry that others follow. */
export interface ChainLink {
  readonly id: number;
  readonly hash: string;
}

/** Checks entries as they come, in the order of the chain. */
export class ChainCheck {
  checked = 0;
  #lastId: number;
  lastHash: string;

  /** @param after the entry before the first: what the log has archived up to there is not checked again */
  constructor(after: ChainLink = { id: 0, hash: CHAIN_BEGIN }) {
    this.#lastId = after.id;
    this.lastHash = after.hash;
  }

  get lastId(): number {
    return this.#lastId;
  }

  /** @returns the first fault, if there is one */
  next(entry: AuditEntry): ChainFault | undefined {
    const fault = (problem: string): ChainFault => ({ id: entry.id, problem });
    if (entry.id !== this.#lastId + 1) return fault(`does not follow entry ${this.#lastId}: entries are missing`);
    if (entry.previousHash !== this.lastHash) return fault('does not continue the entry before it');
    if (auditHash(this.lastHash, entry.id, entry) !== entry.hash) return fault('was changed after it was written');
    this.checked++;
    [this.#lastId, this.lastHash] = [entry.id, entry.hash];
    return undefined;
  }
}
