// Proves that the contract suite of the records is the contract: every rule of `records/sqlite` is deleted in turn, and the
// suite alone must notice. Usage: npm run mutate -- [--sample N] [--seed TEXT] [--file NAME] [--jobs N] [--list]
// Ends with 1 when a deleted rule was not noticed.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';

import { parseArgs } from 'node:util';
import ts from 'typescript';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

const { values: options } = parseArgs({
  options: {
    sample: { type: 'string' },
    seed: { type: 'string', default: '' },
    file: { type: 'string' },
    jobs: { type: 'string', default: '2' },
    list: { type: 'boolean', default: false },
  },
});

const RULES = 'records/sqlite';
/** What the suite needs of the project. */
const COPIED = [
  'domain',
  'records',
  'firmware',
  'tests/records',
  'tests/support',
  'worker',
  'package.json',
  'tsconfig.json',
];
const SUITE = 'tests/records/sqlite-contract.test.ts';
/** Nine tenths of the mutants are noticed without these, which take half of the suite's time. */
const SLOW = [
  'copes with 100,000 devices',
  'counts equal rows, what has ended stays',
  'hold what was there at the start exactly once',
  'takes any reports as the domain does',
  'lets exactly one of 50 simultaneous batches',
];
/** A mutant that makes the suite wait for ever is noticed too. */
const SUITE_TIMEOUT_MS = 300_000;

/**
 * Rules that no contract can see, each with its reason.
 *
 * @type {readonly { readonly file: string; readonly text: string; readonly why: string }[]}
 */
const UNSEEN = JSON.parse(readFileSync(join(ROOT, 'scripts', 'mutate-records.unseen.json'), 'utf8'));

/** Plumbing, where a statement is no rule: other tests look at these. */
const NO_RULES = new Set([
  'connection.ts',
  'write-queue.ts',
  'prepared.ts',
  'schema.ts',
  'sqlite-records.ts',
  'backup.ts',
  'rows.ts',
]);

function mutantsOf(name) {
  const text = readFileSync(join(ROOT, RULES, name), 'utf8');
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  const mutants = [];
  const add = (node, replacement, what) => {
    const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    const start = node.getStart();
    const old = text.slice(start, node.end);
    mutants.push({ name, line, what, old, text: text.slice(0, start) + replacement + text.slice(node.end) });
  };
  const isWrite = (node) => ts.isCallExpression(node) && /\.(run)$/.test(node.expression.getText());
  (function visit(node) {
    // A refusal is not thrown any more.
    if (ts.isThrowStatement(node) && /Error\(|notFound|invalid|downgrade|conflict/i.test(node.getText())) {
      add(node, ';', 'refusal deleted');
    }
    // A guard that returns early, or decides, never does.
    if (ts.isIfStatement(node)) add(node.expression, 'false as boolean', 'condition never true');
    // A write is left out.
    if (
      ts.isExpressionStatement(node) &&
      (isWrite(node.expression) || /^(require|note|claim|import)[A-Z]/.test(node.getText()))
    ) {
      add(node, ';', 'statement deleted');
    }
    // One condition of a query is left out.
    if (ts.isCallExpression(node) && node.expression.getText() === 'and' && node.arguments.length > 1) {
      for (const argument of node.arguments)
        if (argument.getText() !== 'undefined') add(argument, 'undefined', 'condition of a query left out');
    }
    ts.forEachChild(node, visit);
  })(source);
  return mutants;
}

const isUnseen = ({ name, old }) =>
  UNSEEN.some(({ file, text }) => file === name && old.replace(/\s+/g, ' ').startsWith(text));

const all = readdirSync(join(ROOT, RULES))
  .filter(
    (name) => name.endsWith('.ts') && !NO_RULES.has(name) && (options.file === undefined || options.file === name),
  )
  .flatMap(mutantsOf)
  .filter((mutant) => !isUnseen(mutant));
const rank = ({ name, line, what, old }) =>
  createHash('sha256').update(`${options.seed} ${name} ${line} ${what} ${old}`).digest('hex');
const chosen =
  options.sample === undefined
    ? all
    : [...all].sort((a, b) => (rank(a) < rank(b) ? -1 : 1)).slice(0, Number(options.sample));

const told = ({ name, line, what, old }) =>
  `${RULES}/${name}:${line}: ${what}: ${old.replace(/\s+/g, ' ').slice(0, 110)}`;

if (options.list) {
  for (const mutant of chosen) console.log(told(mutant));
} else {
  await run();
}

async function run() {
  const folders = Array.from({ length: Number(options.jobs) }, prepareFolder);
  const survivors = [];
  try {
    // The suite must pass where nothing is changed, or it would notice everything.
    if (!(await passes(folders[0]))) throw new Error('The contract suite fails before anything is deleted.');
    const queue = chosen.values();
    await Promise.all(
      folders.map(async (folder) => {
        for (const mutant of queue) {
          const path = join(folder, RULES, mutant.name);
          const original = readFileSync(path, 'utf8');
          writeFileSync(path, mutant.text);
          const survived = await passes(folder);
          writeFileSync(path, original);
          if (survived) survivors.push(mutant);
          console.log(`${survived ? 'NOT NOTICED' : 'noticed    '} ${told(mutant)}`);
        }
      }),
    );
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
  console.log(
    `${chosen.length} of ${all.length} rules deleted in turn, ${survivors.length} not noticed by the contract`,
  );
  process.exitCode = survivors.length === 0 ? 0 : 1;
}

function prepareFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'ferry-mutants-'));
  for (const path of COPIED) cpSync(join(ROOT, path), join(folder, path), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  // Only the suite runs: no set-up of the other tests, and one failure is enough.
  writeFileSync(join(folder, 'vitest.config.ts'), 'export default { test: { testTimeout: 60_000, bail: 1 } };\n');
  return folder;
}

const passes = async (folder) =>
  (await runs(folder, `^(?!.*(${SLOW.join('|')}))`)) && (await runs(folder, `(${SLOW.join('|')})`));

function runs(folder, names) {
  return new Promise((done, fail) => {
    const vitest = join(folder, 'node_modules/vitest/vitest.mjs');
    const child = spawn(process.execPath, [vitest, 'run', SUITE, '--testNamePattern', names], {
      cwd: folder,
      stdio: 'ignore',
      timeout: SUITE_TIMEOUT_MS,
    });
    child.once('error', fail);
    child.once('exit', (code) => done(code === 0));
  });
}
