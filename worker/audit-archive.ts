import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { CHAIN_BEGIN, ChainCheck, type ChainLink } from '../records/audit-chain.js';
import type { AuditEntry } from '../records/records.js';

/** What archives of the audit log hold, one after the other. */
export interface CheckedArchives {
  readonly entries: number;
  /** The entry before the first: 0 when nothing is missing before it. */
  readonly after: number;
  /** The hash of that entry, as the first one has it. */
  readonly afterHash: string;
  readonly last: ChainLink;
  /** What is wrong, as a sentence. */
  readonly problem: string | null;
  readonly hashes: ReadonlySet<string>;
}

/**
 * Checks files of `ferry audit archive` as one chain, in the order in which they were made.
 *
 * @throws the file system's error when one can't be read
 */
export async function checkArchives(paths: readonly string[]): Promise<CheckedArchives> {
  let check: ChainCheck | undefined;
  let after = 0;
  let afterHash = CHAIN_BEGIN;
  const hashes = new Set<string>();
  const answer = (problem: string | null): CheckedArchives => ({
    ...{ entries: check?.checked ?? 0, after, afterHash, problem, hashes },
    last: { id: check?.lastId ?? 0, hash: check?.lastHash ?? CHAIN_BEGIN },
  });
  for (const path of paths) {
    for await (const line of createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Infinity })) {
      const entry = entryOf(line);
      if (!entry) return answer(`${path} holds a line that is no entry of an audit log`);
      if (!check) {
        after = entry.id - 1;
        if (after > 0) afterHash = entry.previousHash;
        check = new ChainCheck({ id: after, hash: afterHash });
      }
      const fault = check.next(entry);
      if (fault) return answer(`entry ${fault.id} in ${path} ${fault.problem}`);
      hashes.add(entry.hash);
    }
  }
  return answer(null);
}

function entryOf(line: string): AuditEntry | undefined {
  try {
    const entry = JSON.parse(line) as Partial<AuditEntry> | null;
    return typeof entry?.id === 'number' && typeof entry.hash === 'string' ? (entry as AuditEntry) : undefined;
  } catch {
    return undefined;
  }
}
