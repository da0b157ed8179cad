import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { Records } from '../../records/records.js';
import { createSealer } from '../../records/sealing.js';
import { openSqliteRecords } from '../../records/sqlite/sqlite-records.js';
import { PROJECT_FOLDER } from '../../worker/paths.js';
import { percentile } from '../lib/stats.js';
import { fill, type Sizes } from './fill.js';
import { questionsOf, type Question } from './questions.js';
import { askedEveryRound } from './rounds.js';

export interface ReadOptions extends Sizes {
  /** Times that each question is asked. */
  readonly repeats: number;
}

type Figures = Readonly<Record<string, number>>;

/** Answers before the first that counts: statements are prepared, code is compiled, pages are in the cache. */
const WARM_UP_PART = 0.1;

/** What operators ask of large records, by the records and by the bare query; then what the service asks by itself. */
export async function runReads({ repeats, ...sizes }: ReadOptions): Promise<Record<string, Figures>> {
  const folder = await mkdtemp(join(tmpdir(), 'ferry-bench-reads-'));
  const path = join(folder, 'ferry.db');
  const records = openSqliteRecords({
    path,
    synchronous: 'normal',
    sealer: createSealer([randomBytes(32)]),
    migrationsFolder: join(PROJECT_FOLDER, 'records', 'migrations'),
  });
  const db = new Database(path);
  try {
    fill(db, sizes);
    const questions = await questionsOf(records, db, sizes);
    for (const [name, question] of Object.entries(questions)) await requireSame(name, question);
    return { ...(await compare(questions, repeats)), ...(await rounds(records, sizes, repeats)) };
  } finally {
    db.close();
    await records.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Both must answer the same rows, or the comparison means nothing. */
async function requireSame(name: string, { ours, bare }: Question): Promise<void> {
  const [mine, other] = [await ours(0), bare(0)];
  if (mine === other && mine > 0) return;
  throw new Error(`${name}: the records answer ${mine} rows, the bare query ${other}`);
}

/** One question after the other, each by both, then all again: what disturbs the machine disturbs all of them. */
async function compare(questions: Readonly<Record<string, Question>>, repeats: number) {
  const times = new Map(Object.keys(questions).map((name) => [name, { ours: [] as number[], bare: [] as number[] }]));
  for (let n = -Math.ceil(repeats * WARM_UP_PART); n < repeats; n++) {
    for (const [name, question] of Object.entries(questions)) {
      const sample = await timesOf(question, n);
      if (n < 0) continue;
      times.get(name)?.ours.push(sample.ours);
      times.get(name)?.bare.push(sample.bare);
    }
  }
  return Object.fromEntries(
    [...times].map(([name, { ours, bare }]) => {
      const [ourP50, bareP50] = [percentile(ours, 0.5), percentile(bare, 0.5)];
      const [ourP99, bareP99] = [percentile(ours, 0.99), percentile(bare, 0.99)];
      return [
        name,
        {
          ...{ 'Ferry p50 µs': ourP50, 'bare p50 µs': bareP50, 'ratio p50': ourP50 / bareP50 },
          ...{ 'Ferry p99 µs': ourP99, 'bare p99 µs': bareP99, 'ratio p99': ourP99 / bareP99 },
        },
      ];
    }),
  );
}

/** In µs; by turns the one or the other goes first, since the second finds the pages in the processor's cache. */
async function timesOf({ ours, bare }: Question, n: number): Promise<{ ours: number; bare: number }> {
  const which = Math.abs(n);
  const times = { ours: 0, bare: 0 };
  const askOurs = async () => {
    const begunMs = performance.now();
    await ours(which);
    times.ours = 1_000 * (performance.now() - begunMs);
  };
  const askBare = () => {
    const begunMs = performance.now();
    bare(which);
    times.bare = 1_000 * (performance.now() - begunMs);
  };
  if (which % 2 === 0) await askOurs();
  askBare();
  if (which % 2 === 1) await askOurs();
  return times;
}

/** There is nothing bare to compare with: these must be short by themselves, since they hold up all else. */
async function rounds(records: Records, sizes: Sizes, repeats: number): Promise<Record<string, Figures>> {
  const results: Record<string, Figures> = {};
  for (const [name, ask] of Object.entries(askedEveryRound(records, sizes))) {
    const times: number[] = [];
    for (let n = 0; n < Math.min(repeats, ROUNDS_MAX); n++) {
      const begunMs = performance.now();
      await ask();
      times.push(1_000 * (performance.now() - begunMs));
    }
    results[name] = { 'Ferry p50 µs': percentile(times, 0.5), 'Ferry p99 µs': percentile(times, 0.99) };
  }
  return results;
}

const ROUNDS_MAX = 50;
