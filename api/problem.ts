import { randomUUID } from 'node:crypto';
import type { Context, ErrorHandler, NotFoundHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { FerryError, notFound, type ErrorCode } from '../domain/errors.js';
import type { ApiEnv, ApiLog } from './deps.js';
import type { Problem } from './schemas.js';

/** Each code's HTTP status and title: a malformed request is 400, a broken rule 422, a clash with the present state 409. */
export const PROBLEMS = {
  'invalid-request': [400, 'The request is invalid'],
  unauthorized: [401, 'Sign in with a token'],
  forbidden: [403, 'The token does not allow it'],
  'not-found': [404, 'Not found'],
  'product-exists': [409, 'The product key is taken'],
  'product-in-use': [409, 'The product is in use'],
  'device-exists': [409, 'A device of that name exists'],
  'device-in-use': [409, 'An open task updates the device'],
  'firmware-name-invalid': [422, 'The firmware name breaks the rule'],
  'firmware-too-large': [413, 'The firmware file is too large'],
  'firmware-empty': [422, 'The firmware file is empty'],
  'firmware-quota-exceeded': [422, 'The firmware quota is used up'],
  'firmware-version-exists': [422, 'The version exists'],
  'firmware-in-use': [409, 'An open task uses the firmware'],
  'firmware-signature-invalid': [422, 'The firmware signature is not valid'],
  'trust-undecided': [409, 'Nobody has decided whose firmware is taken'],
  'firmware-deleted': [409, 'The firmware is deleted'],
  'firmware-not-verified': [409, 'The firmware is not verified'],
  'firmware-not-proven': [409, 'Too few devices have succeeded in verifications of the firmware'],
  'update-task-conflict': [409, 'Update task conflict'],
  'downgrade-not-allowed': [422, 'That would be a downgrade'],
  'devices-invalid': [422, 'Some devices can not take part'],
  'no-target-devices': [422, 'No device to update'],
  'task-not-open': [409, 'The task has ended'],
  'task-not-ended': [409, 'The task has not ended'],
  'not-a-verification': [409, 'The task is not a verification'],
  'verification-reached-nobody': [409, 'The verification has reached no device'],
  'batch-too-large': [422, 'The batch has too many devices'],
  'nothing-to-reinitiate': [409, 'No failed device to re-initiate'],
  'device-update-ended': [409, 'The device update has ended'],
  'task-not-awaiting-approval': [409, 'The task does not wait for approval'],
  'second-operator-required': [403, 'A second operator must decide'],
  'token-exists': [409, 'A token of that name exists'],
  'too-many-requests': [429, 'Too many requests'],
  'idempotency-key-reused': [422, 'The idempotency key was used for another request'],
  'registration-changed': [409, 'The registered devices have changed since'],
  'method-not-allowed': [405, 'Method not allowed'],
  'unsupported-media-type': [415, 'Unsupported media type'],
  'request-too-large': [413, 'The request body is too large'],
  'firmware-file-damaged': [503, 'The stored firmware file is damaged'],
  'storage-unavailable': [503, 'The database can not be written'],
  'workflow-engine-away': [503, 'The workflow engine is away'],
  internal: [500, 'Internal error'],
} as const satisfies Record<ErrorCode, readonly [ContentfulStatusCode, string]>;

/** The problem document of a refusal [RFC 9457]. */
export function problemOf({ code, message, extra }: FerryError): Problem {
  const [status, title] = PROBLEMS[code];
  return { type: `urn:ferry:problem:${code}`, title, status, code, detail: message, ...extra };
}

/** A fault of ours: the log has it with the request's id, the client gets the id only. */
export function internalProblem(error: unknown, request: string, log: ApiLog): FerryError {
  const requestId = randomUUID();
  log.error({ requestId, request, err: error }, 'request failed');
  return new FerryError('internal', `Something went wrong in Ferry; its log names it by request ${requestId}.`, {
    requestId,
  });
}

/** Headers that go with a problem's status. */
export const PROBLEM_HEADERS: Partial<Record<ErrorCode, Readonly<Record<string, string>>>> = {
  unauthorized: { 'WWW-Authenticate': 'Bearer realm="ferry"' },
};

/** Every error of a route, as a problem document. */
export function answerErrors(log: ApiLog): ErrorHandler<ApiEnv> {
  return (error, c) => {
    // Who went away in mid-request is no fault of ours, and hears of nothing.
    const refusal = refusalOf(error) ?? (c.req.raw.signal.aborted ? malformedBody() : undefined);
    if (refusal && PROBLEMS[refusal.code][0] >= 500) log.warn({ code: refusal.code }, refusal.message);
    return answerProblem(c, refusal ?? internalProblem(error, `${c.req.method} ${c.req.path}`, log));
  };
}

/** No route: another method of a known path, or no path of ours. */
export function answerUnknownRoutes(methodsOf: (path: string) => readonly string[]): NotFoundHandler<ApiEnv> {
  return (c) => {
    const methods = methodsOf(c.req.path);
    if (methods.length === 0) return answerProblem(c, notFound(`The path ${c.req.path.slice(0, 200)}`));
    const allow = methods.join(', ');
    c.header('Allow', allow);
    const message = `${c.req.method} is not allowed here. Use ${allow}.`;
    return answerProblem(c, new FerryError('method-not-allowed', message));
  };
}

function answerProblem(c: Context<ApiEnv>, refusal: FerryError): Response {
  const problem = problemOf(refusal);
  for (const [name, value] of Object.entries(PROBLEM_HEADERS[refusal.code] ?? {})) c.header(name, value);
  c.header('Content-Type', 'application/problem+json');
  return c.body(JSON.stringify(problem), PROBLEMS[refusal.code][0]);
}

function refusalOf(error: unknown): FerryError | undefined {
  if (error instanceof FerryError) return error;
  if (!(error instanceof HTTPException)) return undefined;
  if (error.status === 415)
    return new FerryError(
      'unsupported-media-type',
      'Content-Type: this content is not taken; send application/json, and name it in this header.',
    );
  if (error.status === 400) return malformedBody();
  return undefined;
}

export const malformedBody = (): FerryError => {
  const message = 'is not valid JSON';
  return new FerryError('invalid-request', `The body ${message}.`, { errors: [{ field: 'body', message }] });
};
