import { z } from '@hono/zod-openapi';
import { Permission } from './auth.js';
import type { ApiDeps } from './deps.js';
import { json, jsonBody, operation } from './operation.js';
import { newRouter } from './router.js';
import { Scope } from './scope.js';
import { ForgettingSchema } from './schemas.js';

/** As long as idempotency keys are kept, which answer with what they created. */
const OLDER_THAN_MS_MIN = 24 * 3_600_000;
/** A hundred years. */
const OLDER_THAN_MS_MAX = 36_500 * 24 * 3_600_000;

const forget = operation({
  id: 'forgetRecords',
  method: 'post',
  path: '/v1/records/forget',
  tag: 'Service',
  summary: 'Delete the records of tasks that ended long ago, in the background',
  description:
    'Device updates and claims go with their task. Open tasks stay, and so do tasks that a kept one re-initiates, firmware, devices and the audit log. `/metrics` counts what is gone.',
  permission: Permission.FORGET,
  scope: Scope.SERVICE,
  action: 'records.forget',
  request: {
    body: jsonBody(
      z
        .strictObject({
          olderThanMs: z
            .int()
            .min(OLDER_THAN_MS_MIN)
            .max(OLDER_THAN_MS_MAX)
            .openapi({ description: 'Time since the end of the task, a day at least.' }),
        })
        .openapi('ForgetRecords'),
    ),
  },
  responses: { 202: json(ForgettingSchema, 'What there is to delete') },
  problems: [],
});

export function forgettingRoutes({ forget: begin }: Pick<ApiDeps, 'forget'>) {
  return newRouter().openapi(forget, async (c) => c.json(await begin(c.req.valid('json').olderThanMs), 202));
}
