/*
 * Devices choose their version texts themselves, so fleets have many schemes: 1.2.3-rc1, v2.0, 2024.03.1, 20240115, r1234,
 * V100R001C10, fw-1.4, git hashes. Versions of one scheme have an order; between unlike schemes there is none, and then
 * nobody may guess one: a wrong guess refuses a good update, or lets a downgrade pass.
 */

/** Words behind a version that come before the release itself, by where they stand before it. */
const BEFORE_RELEASE = [
  // A tilde sorts before the end of the version [Debian Policy Manual, 5.6.12].
  ['~'],
  ['dev', 'nightly'],
  ['alpha', 'a'],
  ['beta', 'b'],
  ['milestone', 'm'],
  ['pre', 'preview', 'rc', 'cr'],
  ['snapshot'],
] as const satisfies readonly (readonly string[])[];
/** Words that mean the release itself. */
const RELEASE: readonly string[] = ['', 'final', 'ga', 'release', 'stable'];
/** Words behind a version that come after the release. */
const AFTER_RELEASE: readonly string[] = [
  'r',
  'rev',
  'p',
  'patch',
  'pl',
  'sp',
  'post',
  'hotfix',
  'hf',
  'fix',
  'update',
  'u',
  'build',
];

/** A version text, taken apart. */
interface Version {
  /** What stands before the first digit, in lower case, without a `v` and without separators. */
  readonly prefix: string;
  readonly scheme: 'date' | 'counter' | 'dotted';
  readonly numbers: readonly bigint[];
  /** What stands behind the numbers, from left to right. */
  readonly suffixes: readonly Suffix[];
}
interface Suffix {
  readonly word: string;
  readonly number: bigint | undefined;
}

/**
 * Orders two versions of one scheme.
 *
 * @returns negative when a is older, 0 when they are equal in order, positive when a is newer; undefined when their
 *   schemes are unlike, so that no order is known
 */
export function compareVersions(a: string, b: string): number | undefined {
  if (a === b) return 0;
  const [x, y] = [parse(a), parse(b)];
  if (x === undefined || y === undefined) return compareLetters(a, b);
  if (x.prefix !== y.prefix || !areAlike(x, y)) return undefined;
  const byNumbers = compareNumbers(x.numbers, y.numbers);
  return byNumbers === 0 ? compareSuffixes(x.suffixes, y.suffixes) : byNumbers;
}

/** Whether a is surely newer than b; false too when no order is known. */
export const isNewer = (a: string, b: string): boolean => (compareVersions(a, b) ?? 0) > 0;

/** Hardware makers count A, B, C; other words have no order. */
function compareLetters(a: string, b: string): number | undefined {
  const [x, y] = [a.toLowerCase(), b.toLowerCase()];
  if (x === y) return 0;
  return /^[a-z]$/.test(x) && /^[a-z]$/.test(y) ? (x < y ? -1 : 1) : undefined;
}

/** A version with a digit, taken apart; undefined for words and for hashes, which have no order. */
function parse(text: string): Version | undefined {
  if (isHash(text)) return undefined;
  const commit = COMMIT.exec(text);
  const found = /^([^0-9]*)([0-9].*)$/su.exec(text.slice(0, commit?.index));
  if (!found) return undefined;
  const [, before = '', rest = ''] = found;
  const prefix = before
    .toLowerCase()
    .replace(/[\s._-]+/g, ' ')
    .trim()
    .replace(/(^|\s)(v|ver|version)$/, '$1')
    .trim();
  // What is behind a plus sign tells builds of one version apart [Semantic Versioning 2.0.0, 10].
  const plain = withDots(rest.split('+', 1)[0] ?? '');
  const numbers = /^[0-9]+(?:\.[0-9]+)*/.exec(plain)?.[0] ?? '';
  const values = numbers.split('.').map(BigInt);
  const scheme = !numbers.includes('.') ? 'counter' : isYear(values[0]) ? 'date' : 'dotted';
  const suffixes = suffixesOf(plain.slice(numbers.length));
  if (commit && !rest.includes('+')) suffixes.push(...commitSuffixes(text, commit));
  return { prefix, scheme, numbers: values, suffixes };
}

const isYear = (number: bigint | undefined): boolean => number !== undefined && number >= 1970n && number < 2200n;

/** A date, 20240115 or 2024-01-15, written as 2024.01.15, and 2024-01 as 2024.01; everything else as it is. */
const withDots = (text: string): string =>
  text
    .replace(/^((?:19|20|21)[0-9]{2})([-_/]?)(0[1-9]|1[0-2])\2(0[1-9]|[12][0-9]|3[01])(?![0-9])/, '$1.$3.$4')
    // Also 2024-13, which is no month: it must stay behind 2024-12.
    .replace(/^(19[7-9][0-9]|2[01][0-9]{2})[-_/]([0-9]+)/, '$1.$2');

/** A commit's hash: hexadecimal digits, among them letters and digits, as git abbreviates it. */
const isHash = (text: string): boolean =>
  /^(?=.*[a-f])(?=.*[0-9])[0-9a-f]{7,64}$/i.test(text) && !/^[0-9]+[a-z]$/i.test(text);

/**
 * A commit's hash within a version, as git abbreviates it, also with git's `g` before it or in brackets. It may have digits
 * only when that `g` is there; else it needs a letter and a digit, and what begins with a date is no hash.
 */
const COMMIT =
  /(?:[([{]|(?<![\p{L}\p{N}]))(?:g(?<described>[0-9a-f]{7,40})|(?=[0-9]*[a-f])(?=[a-f]*[0-9])(?!(?:19|20|21)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01]))(?<bare>[0-9a-f]{7,40}))(?![\p{L}\p{N}])[)\]}]?/iu;

/** The hash is a word that has no order, whatever its digits are. What stands behind it counts where the hash is the same. */
function commitSuffixes(text: string, commit: RegExpExecArray): Suffix[] {
  const hash = (commit.groups?.['described'] ?? commit.groups?.['bare'] ?? '').toLowerCase();
  const [behind = ''] = text.slice(commit.index + commit[0].length).split('+', 1);
  return [{ word: `#${hash}`, number: undefined }, ...suffixesOf(behind)];
}

const SUFFIX = /[\s._/-]*(~?)[\s._/-]*([^0-9\s._~/-]*)[\s._/-]*([0-9]+)?/gu;

/** `-rc.1` is the word `rc` with 1; `b` is a word without a number; `-14-g24c` is a number, then a word. */
function suffixesOf(text: string): Suffix[] {
  const suffixes: Suffix[] = [];
  for (const [, tilde = '', letters = '', number] of text.toLowerCase().matchAll(SUFFIX)) {
    const word = letters || tilde;
    if (word !== '' || number !== undefined) {
      suffixes.push({ word, number: number === undefined ? undefined : BigInt(number) });
    }
  }
  // A hash that is too short to be told by its length; git writes its description with a count before it.
  const hash = suffixes.findIndex(({ word }, i) => i > 0 && /^g[0-9a-f]*$/.test(word));
  return hash < 0 ? suffixes : suffixes.slice(0, hash);
}

/** From here on a plain number is a count of builds, and no major version. */
const COUNTER_LEAST = 1_000n;

function areAlike(a: Version, b: Version): boolean {
  if (a.scheme === b.scheme) return true;
  const counter = [a, b].find(({ scheme }) => scheme === 'counter')?.numbers[0];
  if (counter === undefined) return false;
  return a.scheme === 'date' || b.scheme === 'date' ? isYear(counter) : counter < COUNTER_LEAST;
}

/** A missing number is 0: 1.0 and 1.0.0 are equal. */
function compareNumbers(a: readonly bigint[], b: readonly bigint[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [x, y] = [a[i] ?? 0n, b[i] ?? 0n];
    if (x !== y) return x < y ? -1 : 1;
  }
  return 0;
}

/** Undefined where two words have no order. */
function compareSuffixes(a: readonly Suffix[], b: readonly Suffix[]): number | undefined {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const order = compareSuffix(a[i], b[i]);
    if (order !== 0) return order;
  }
  return 0;
}

const NOTHING: Suffix = { word: '', number: undefined };

function compareSuffix(a: Suffix = NOTHING, b: Suffix = NOTHING): number | undefined {
  const [x, y] = [rankOf(a), rankOf(b)];
  if (a.word !== b.word) {
    // Of two words that follow the release nobody knows which is the later one, unless they are letters.
    if (x === undefined || y === undefined || (x > 0 && y > 0 && !(isRevision(a) && isRevision(b)))) return undefined;
  }
  if (x !== y) return (x ?? 0) < (y ?? 0) ? -1 : 1;
  const [m, n] = [a.number ?? 0n, b.number ?? 0n];
  return m === n ? 0 : m < n ? -1 : 1;
}

/** A letter alone is a revision, as in 1.0.2k; with a number behind it, it is short for a word, as in 1.0b2. */
const isRevision = ({ word, number }: Suffix): boolean => number === undefined && /^[a-z]$/.test(word);

/** Below 0 before the release, 0 the release itself, above 0 after it; undefined for a word that is not known. */
function rankOf(suffix: Suffix): number | undefined {
  const { word, number } = suffix;
  if (RELEASE.includes(word)) return number === undefined ? 0 : 1;
  if (AFTER_RELEASE.includes(word) && number !== undefined) return 1;
  if (isRevision(suffix)) return 2 + word.charCodeAt(0) - 'a'.charCodeAt(0);
  if (AFTER_RELEASE.includes(word)) return 1;
  const before = BEFORE_RELEASE.findIndex((words: readonly string[]) => words.includes(word));
  return before < 0 ? undefined : before - BEFORE_RELEASE.length;
}
