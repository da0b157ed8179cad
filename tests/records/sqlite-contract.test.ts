import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Records } from '../../records/records.js';
import { openSqliteRecords } from '../../records/sqlite/sqlite-records.js';
import { openTestRecords, testSealer } from '../support/records.js';
import { describeRecords } from './contract.js';
import { callEverything } from './every-call.js';

/*
 * The contract, and a look at what it asks of SQLite meanwhile: every statement must have a plan that reads only what it
 * answers. A new query without an index fails here, and so does a new method that nobody calls.
 */

const texts = new Set<string>();
const called = new Set<string>();
const methods = new Set<string>();
const prepare = vi.spyOn(Database.prototype, 'prepare');

/** Notes which methods are called. */
function watched(records: Records): Records {
  for (const name of Object.keys(records)) methods.add(name);
  return new Proxy(records, {
    get(target, name, receiver) {
      called.add(String(name));
      return Reflect.get(target, name, receiver) as unknown;
    },
  });
}

describeRecords('SQLite', async () => {
  const { records, path, close } = await openTestRecords();
  return {
    records: watched(records),
    close: async () => {
      for (const [text] of prepare.mock.calls) texts.add(text);
      prepare.mockClear();
      await close();
    },
    again: async () => openSqliteRecords({ path, synchronous: 'normal', sealer: testSealer }),
  };
});

interface Plan {
  readonly text: string;
  readonly steps: readonly string[];
}

/** What reads more than it answers, and why it may. */
const ALLOWED: readonly { readonly why: string; readonly step?: RegExp; readonly text?: RegExp }[] = [
  { why: 'the index holds nothing but what is asked for', step: /USING (COVERING )?INDEX (tasks_open|devices_online)/ },
  { why: 'the same', step: /USING (COVERING )?INDEX (device_updates_(to_cancel|news|untold)|claims_open)/ },
  { why: 'walked in the order of the list, until the page is full', step: /^SCAN tasks USING INDEX tasks_by_age$/ },
  {
    why: 'the last entry: the end of the table',
    text: /from "audit_entries" order by "audit_entries"."id" desc limit/,
  },
  { why: 'entries in the order of the list', step: /^SCAN audit_entries$/, text: /limit \?$/ },
  { why: 'what ended in each span of a task’s time is counted, in an index', text: /AS span, outcome, count/ },
  {
    why: 'failures of the last days are counted, in an index',
    text: /^select "cause", count\(\*\) from "device_updates"/,
  },
  {
    why: 'all devices of a task, once, at its creation',
    text: /^select count\(\*\) from "device_updates" where .*task_id/,
  },
  { why: 'the same', text: /^\s*INSERT INTO device_updates/ },
  { why: 'secrets that are not sealed by the newest key, once, at each start', text: /where substr\("devices"/ },
  { why: 'refused while an update refers to it: the last one has gone before', text: /^DELETE FROM tasks/ },
  {
    why: 'keys of a product are forgotten once, at its deletion, among those of a day',
    text: /^delete from "idempotency_keys" where "idempotency_keys"."resource" = \?$/,
  },
  {
    why: 'a product that is deleted has none of them: SQLite looks for what refers to it',
    text: /^delete from "products"/,
  },
  { why: 'the doctor counts them anew for a product or a task', text: /^INSERT INTO (failure|device|version)_counts/ },
  { why: 'the same', text: /^UPDATE tasks SET \(pending/ },
];

describe('every statement of the records', () => {
  let plans: Plan[] = [];
  let db: Database.Database;
  let close: () => Promise<void>;
  beforeAll(async () => {
    const opened = await openTestRecords();
    ({ close } = opened);
    await callEverything(watched(opened.records));
    for (const [text] of prepare.mock.calls) texts.add(text);
    prepare.mockRestore();
    db = new Database(opened.path);
    plans = [...texts].filter((text) => STATEMENT.test(text)).map((text) => planOf(db, text));
  });
  afterAll(async () => {
    db.close();
    await close();
  });

  it('is seen here: each method is called', () => {
    expect([...methods].filter((name) => !called.has(name) && name !== 'close')).toEqual([]);
    expect(plans.length).toBeGreaterThan(100);
  });

  it('reads from an index what it answers, and nothing else', () => {
    const wide = plans.flatMap((plan) =>
      plan.steps
        .filter((step) => isWide(plan, step) && !isAllowed(plan, step))
        .map((step) => ({ step, text: plan.text })),
    );
    expect(wide).toEqual([]);
  });

  it('looks each row of a join up by its whole key', () => {
    const walks = plans.flatMap(({ text, steps }) => {
      // At most one task is being forgotten; the re-initiations are asked after once, by an operator who forgets.
      const once = / USING INDEX tasks_(forgotten|by_reinitiated) /;
      const tables = steps.filter((step) => /^(SCAN|SEARCH) (?!firmware)/.test(step) && !once.test(step));
      return tables.filter(isWalkedForEach).map((step) => ({ step, text }));
    });
    expect(walks).toEqual([]);
  });

  it('begins a page at its cursor, however deep', () => {
    const pages = plans.filter(
      ({ text }) => FROM_LONG.test(text) && / [<>] \(?\?/.test(text) && /limit \?$/.test(text),
    );
    expect(pages.length).toBeGreaterThan(12);
    for (const { text, steps } of pages)
      expect(
        steps.find((step) => !step.startsWith('SEARCH firmware ')),
        text,
      ).toMatch(/^SEARCH .*([<>]\(?\?|tasks_1 \(id=\?)/);
  });

  it('counts failures in an index alone, of one product too', () => {
    const counting = plans.filter(({ text }) => /^select "cause", count\(\*\) from "device_updates"/.test(text));
    expect(counting.length).toBeGreaterThan(1);
    for (const { text, steps } of counting) expect(steps.join(), text).toContain('USING COVERING INDEX');
  });

  it('of the list of exceptions each is needed', () => {
    const needed = ({ step, text }: (typeof ALLOWED)[number]) =>
      plans.some((plan) =>
        plan.steps.some((wide) => isWide(plan, wide) && (step?.test(wide) ?? true) && (text?.test(plan.text) ?? true)),
      );
    expect(ALLOWED.filter((allowed) => !needed(allowed))).toEqual([]);
  });
});

const isAllowed = ({ text: whole }: Plan, plan: string): boolean =>
  ALLOWED.some(({ step, text }) => (step?.test(plan) ?? true) && (text?.test(whole) ?? true));

/** Those of migrations have backticks; they run once. */
const STATEMENT = /^\s*(with|select|update|delete|insert[^;]*select)\b[^`]*$/i;
/** Tables that grow with the fleet and with time, as they and their aliases are called in plans. */
const LONG = '(tasks|claims|devices|device_updates|device_versions|idempotency_keys|audit_entries|d|v|u|t)';
const SCAN = new RegExp(`^SCAN ${LONG}\\b(?! VIRTUAL)`);
/** All of a product, of a task, of a module or of what is online: as much as a scan, if nothing ends it early. */
const WHOLE = new RegExp(
  `^SEARCH (?!claims)${LONG} .*\\((product_key|task_id|online)=\\?( AND (module|online)=\\?)*\\)`,
);
/** A range within an equality that is none of the page's: each row of one table looked for among many of another. */
const FROM_LONG = new RegExp(`\\b(from|join) "?${LONG}"?\\b`, 'i');

function isWide({ text, steps }: Plan, step: string): boolean {
  // The rows that the inner query has limited.
  if (steps.includes('CO-ROUTINE u') && step === 'SCAN u') return false;
  if (SCAN.test(step)) return true;
  const isLimited = /limit (\?|\d+)/i.test(text);
  if (WHOLE.test(step)) return !isLimited || steps.some((other) => other.includes('FOR ORDER BY'));
  return step === 'USE TEMP B-TREE FOR ORDER BY' && FROM_LONG.test(text);
}

/** A join looks each row up by its whole key; a range in its place is one more walk for each row. */
const isWalkedForEach = (step: string, n: number): boolean => n > 0 && /^SEARCH \w+ .*[<>]/.test(step);

function planOf(db: Database.Database, text: string): Plan {
  const rows = db.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...boundTo(text)) as { detail: string }[];
  return { text, steps: rows.map(({ detail }) => detail) };
}

/** Any value for each placeholder. */
const boundTo = (text: string): number[] => (text.match(/\?/g) ?? []).map(() => 1);
