import { z } from '@hono/zod-openapi';
import { Permission } from './auth.js';
import type { ApiDeps } from './deps.js';
import { json, operation } from './operation.js';
import { newRouter } from './router.js';
import { Scope } from './scope.js';

const WorkflowHistorySchema = z
  .object({ events: z.array(z.record(z.string(), z.unknown())) })
  .openapi('WorkflowHistory', { description: 'A history in Temporal’s own JSON, as its UI downloads it.' });

const readHistory = operation({
  id: 'getWorkflowHistory',
  method: 'get',
  path: '/v1/workflow-history',
  tag: 'Tasks',
  summary: 'Read the history of a run: what `ferry replay` replays',
  permission: Permission.READ,
  scope: Scope.SERVICE,
  request: {
    query: z.strictObject({
      workflowId: z.string().min(1).max(1_000).openapi({ description: '`workflow.id` of a task or a device update.' }),
      runId: z
        .uuid({ error: 'must be the id of a run, a UUID' })
        .optional()
        .openapi({ description: 'The newest run if absent.' }),
    }),
  },
  responses: { 200: json(WorkflowHistorySchema, 'The history') },
  problems: ['not-found', 'workflow-engine-away'],
});

/** Histories come from the engine, not from the records: they are there for as long as its retention. */
export function workflowHistoryRoutes({ workflowHistory }: Pick<ApiDeps, 'workflowHistory'>) {
  return newRouter().openapi(readHistory, async (c) => {
    const { workflowId, runId } = c.req.valid('query');
    // JSON already, and perhaps megabytes of it: it is passed on as it is.
    return c.body(await workflowHistory(workflowId, runId), 200, { 'Content-Type': 'application/json' }) as never;
  });
}
