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
  return issues.flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code === 'unrecognized_keys') {
      return issue.keys
        .slice(0, NAMED_PROBLEMS_MAX)
        .map((key) => ({ field: [...path, key].join('.'), message: 'is not known here' }));
    }
    return [{ field: path.join('.') || (target === 'json' ? 'body' : target), message: sentence(issue.message) }];
  });
}

/** Our own messages stand; zod's are put into the same words. */
function sentence(message: string): string {
  if (message.endsWith('received undefined')) return 'is required';
  return message
    .replace(/^Invalid (input|option): expected /, 'must be ')
    .replace(/^Too (big|small): expected \w+ to (be|have) /, (_, _size, verb: string) => `must ${verb} `)
    .replace(', received ', ', not ');
}
