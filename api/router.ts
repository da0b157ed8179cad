import { OpenAPIHono } from '@hono/zod-openapi';
import type { ZodError } from 'zod';
import { FerryError, type FieldProblem } from '../domain/errors.js';
import type { ApiEnv } from './deps.js';
import { NAMED_PROBLEMS_MAX } from './requests.js';

/** A router of one resource: input is validated at its door, and what is wrong is named field by field. */
export function newRouter(): OpenAPIHono<ApiEnv> {
  return new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalidRequest(fieldProblems(result.error, result.target));
    },
  });
}

/** The refusal of a request, its detail built from the first of the problems. */
export function invalidRequest(problems: readonly FieldProblem[]): FerryError {
  const [first] = problems;
  const others = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  const detail = first === undefined ? 'The request is invalid.' : `${first.field}: ${first.message}${others}`;
  return new FerryError('invalid-request', detail, { errors: problems.slice(0, NAMED_PROBLEMS_MAX) });
}

/** What zod found, as fields and sentences. */
export function fieldProblems({ issues }: Pick<ZodError, 'issues'>, target: string): FieldProblem[] {
  return issues.filter(isOwnRule).flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code === 'unrecognized_keys') {
      return issue.keys
        .slice(0, NAMED_PROBLEMS_MAX)
        .map((key) => ({ field: [...path, key].join('.'), message: 'is not known here' }));
    }
    return [
      {
        field: path.join('.') || (target === 'json' ? 'body' : target),
        message: isTwice(issue, target) ? TWICE : sentence(issue),
      },
    ];
  });
}

const TWICE = 'is given twice; give it once';
/** The parser of a query makes a list of what is repeated. */
const isTwice = (issue: Issue, target: string): boolean =>
  target === 'query' && issue.code === 'invalid_type' && issue.message.endsWith('received array');

/** Without the bound of whole numbers as such, where a field has a bound of its own, which is narrower. */
function isOwnRule(issue: Issue, _: number, issues: readonly Issue[]): boolean {
  const isAnyBound =
    (issue.code === 'too_big' && issue.maximum === Number.MAX_SAFE_INTEGER) ||
    (issue.code === 'too_small' && issue.minimum === Number.MIN_SAFE_INTEGER);
  return !isAnyBound || !issues.some((other) => other !== issue && other.path.join('.') === issue.path.join('.'));
}

type Issue = ZodError['issues'][number];

/** Our own messages stand; zod's are put into the words of all others, by the rule that was broken. */
function sentence(issue: Issue): string {
  if (!/^(Invalid|Too (big|small))\b/.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return typeSentence(issue.expected, issue.message);
    case 'invalid_value':
      return `must be ${alternatives(issue.values.map(String))}`;
    case 'too_small':
      return limitSentence(issue.origin, 'at least', Number(issue.minimum));
    case 'too_big':
      return limitSentence(issue.origin, 'at most', Number(issue.maximum));
    default:
      return 'has a form that is not known here';
  }
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
};

function typeSentence(expected: string, message: string): string {
  if (message.endsWith('received undefined')) return 'is required';
  return `must be ${TYPES[expected] ?? expected}`;
}

const UNITS: Readonly<Record<string, readonly [one: string, many: string]>> = {
  string: ['character', 'characters'],
  array: ['entry', 'entries'],
};

function limitSentence(origin: string, bound: 'at least' | 'at most', limit: number): string {
  const unit = UNITS[origin];
  if (!unit) return `must be ${bound} ${limit}`;
  if (bound === 'at least' && limit === 1) return 'must not be empty';
  return `must have ${bound} ${limit} ${limit === 1 ? unit[0] : unit[1]}`;
}

const alternatives = (words: readonly string[]): string =>
  words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`;
