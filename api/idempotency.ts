import { createHash } from 'node:crypto';
import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Created, Idempotency } from '../records/records.js';
import type { ApiEnv } from './deps.js';
import { fieldProblems, invalidRequest } from './router.js';

const KEY = 'idempotency-key';
export const REPLAYED_HEADER = 'Idempotency-Replayed';

/** Header of every creation: a repeat with the same key answers what the first request created. */
export const IdempotencyHeaders = z.object({
  [KEY]: z
    .string()
    .regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 printable ASCII characters without blanks')
    .optional()
    .openapi({
      description:
        'Repeats with the same key, route and body, by the same token, answer what the first request created.',
    }),
});

/**
 * The request's idempotency, if it asks for one. Keys are each principal's own: what somebody else has created is not
 * answered, whatever key they chose. The fingerprint covers route and body, so that a key is never taken for another
 * request.
 *
 * @param body plain JSON, with whatever stands for a streamed file
 */
export function idempotencyOf(c: Context<ApiEnv>, body: unknown): Idempotency | undefined {
  const parsed = IdempotencyHeaders.safeParse({ [KEY]: c.req.header(KEY) });
  if (!parsed.success) throw invalidRequest(fieldProblems(parsed.error, 'header'));
  const key = parsed.data[KEY];
  if (key === undefined) return undefined;
  const request = `${c.req.method} ${c.req.path}\n${canonical(body)}`;
  // The key has no blanks, so that no two of them become the same.
  return { key: `${c.get('principal').id} ${key}`, fingerprint: createHash('sha256').update(request).digest('hex') };
}

/** Says in the answer whether an earlier request had created it. */
export function markReplay<T>(c: Context<ApiEnv>, { value, replayed }: Created<T>): T {
  if (replayed) c.header(REPLAYED_HEADER, 'true');
  return value;
}

/** The order of members does not make another request. */
function canonical(body: unknown): string {
  return JSON.stringify(body, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
