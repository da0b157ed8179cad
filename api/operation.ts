import { createRoute, z, type OpenAPIHono, type RouteConfig } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import type { ErrorCode } from '../domain/errors.js';
import { requirePermission, type Permission } from './auth.js';
import type { ApiEnv } from './deps.js';
import { PROBLEMS } from './problem.js';
import { boundBody, SMALL_BODY, type BodyMax } from './request-body.js';
import { patternOf } from './route-table.js';
import { requireScope, type Scope } from './scope.js';
import { ProblemSchema } from './schemas.js';

/** A route of `/v1` as it is written down: with who may use it and every refusal it can answer. */
interface Operation extends Pick<RouteConfig, 'summary' | 'description' | 'request' | 'responses'> {
  /** Generated clients name their methods by it: it never changes. */
  readonly id: string;
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  readonly path: `/v1/${string}`;
  readonly tag: string;
  /** Null: it is there for everyone. */
  readonly permission: Permission | null;
  /** How it keeps a token to its product. */
  readonly scope: Scope;
  /** What the audit log calls it: of every one that changes something. */
  readonly action?: `${string}.${string}`;
  /** Of one that takes long lists; else `SMALL_BODY`. */
  readonly bodyMax?: BodyMax;
  readonly problems: readonly ErrorCode[];
}

/**
 * The route of an operation, for `router.openapi`. Its handlers throw the problems; so only the successes are part of
 * the handler's type.
 */
export function operation<const O extends Operation>(described: O): O {
  const { id, tag, permission, scope, action, problems, request, responses, bodyMax = SMALL_BODY, ...rest } = described;
  const allProblems: ErrorCode[] = [...problems, 'internal'];
  const middleware: MiddlewareHandler<ApiEnv>[] = [];
  if (permission !== null) {
    allProblems.push('unauthorized', 'forbidden', 'too-many-requests');
    middleware.push(requirePermission(permission), requireScope(scope));
  }
  if (rest.method !== 'get') allProblems.push('storage-unavailable');
  if (request) allProblems.push('invalid-request');
  if (request?.body) {
    allProblems.push('request-too-large', 'unsupported-media-type');
    // A firmware upload is streamed and has its own limit.
    if (!request.body.content['multipart/form-data']) {
      middleware.push(boundBody(bodyMax, Object.keys(request.body.content)));
    }
  }
  return createRoute({
    ...rest,
    operationId: id,
    ...(request && { request }),
    responses: { ...responses, ...problemResponses(allProblems) },
    tags: [tag],
    security: permission === null ? [] : [{ token: [] }, { session: [] }],
    'x-scope': scope,
    ...(permission !== null && { 'x-permission': permission }),
    ...(action !== undefined && { 'x-action': action }),
    middleware,
  }) as unknown as O;
}

/**
 * Mounts an operation whose handler reads the request itself: OpenAPI shows its body, no validator touches it. For
 * streams, and for bodies of several forms.
 */
export function mountUnvalidated(
  router: OpenAPIHono<ApiEnv>,
  route: Operation,
  handler: (c: Context<ApiEnv>) => Promise<Response>,
): void {
  const { middleware, ...documented } = route as Operation & { readonly middleware: MiddlewareHandler<ApiEnv>[] };
  router.openAPIRegistry.registerPath(documented);
  router.on([route.method], [patternOf(route.path)], ...middleware, handler);
}

/** The codes grouped by their status. */
function problemResponses(codes: readonly ErrorCode[]): RouteConfig['responses'] {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set(codes)) {
    const [status] = PROBLEMS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const entries = Array.from(byStatus, ([status, sameStatus]) => {
    const [first, ...others] = sameStatus;
    const schema = ProblemSchema.extend({ code: z.enum([first as ErrorCode, ...others]) });
    const content = { 'application/problem+json': { schema } };
    return [status, { description: sameStatus.map((code) => `\`${code}\``).join(', '), content }] as const;
  });
  return Object.fromEntries(entries);
}

/** A success with a JSON body. */
export const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { 'application/json': { schema } },
});

/** A JSON request body that may be left out: all of its members are optional. */
export const optionalJsonBody = <T extends z.ZodType>(schema: T) => ({
  required: false as const,
  content: { 'application/json': { schema } },
});

/** A JSON request body that must be there. */
export const jsonBody = <T extends z.ZodType>(schema: T) => ({
  required: true as const,
  content: { 'application/json': { schema } },
});
