import { z } from '@hono/zod-openapi';
import { Permission } from './auth.js';
import type { ApiDeps } from './deps.js';
import { json, optionalJsonBody, operation } from './operation.js';
import { newRouter } from './router.js';
import { Scope } from './scope.js';
import { DoctorReportSchema } from './schemas.js';

const examine = operation({
  id: 'examineService',
  method: 'post',
  path: '/v1/doctor',
  tag: 'Service',
  summary: 'Compare records, runs, claims and files, and name every difference',
  permission: Permission.REPAIR,
  scope: Scope.SERVICE,
  action: 'service.examine',
  request: {
    body: optionalJsonBody(
      z
        .strictObject({ fix: z.boolean().optional().openapi({ description: 'Repair what can be repaired.' }) })
        .openapi('ExamineService'),
    ),
  },
  responses: { 200: json(DoctorReportSchema, 'What was looked at, and what was found') },
  problems: [],
});

export function doctorRoutes({ examine: run }: Pick<ApiDeps, 'examine'>) {
  return newRouter().openapi(examine, async (c) => c.json(await run(c.req.valid('json').fix ?? false), 200));
}
