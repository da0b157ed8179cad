import type { Context } from 'hono';
import type { Records } from '../records/records.js';
import type { Answers } from './answers.js';
import { noteNothingDone } from './audit.js';
import { Permission } from './auth.js';
import type { ApiDeps, ApiEnv } from './deps.js';
import { json, optionalJsonBody, operation } from './operation.js';
import { Decide, IdParams } from './requests.js';
import { newRouter } from './router.js';
import { Scope } from './scope.js';
import { TaskSchema } from './schemas.js';

const shared = {
  method: 'post',
  tag: 'Tasks',
  permission: Permission.RUN_TASKS,
  scope: Scope.TASK,
  request: { params: IdParams, body: optionalJsonBody(Decide) },
  problems: ['not-found', 'task-not-awaiting-approval', 'second-operator-required'],
} as const;

const approveTask = operation({
  id: 'approveTask',
  ...shared,
  path: '/v1/tasks/{id}/approve',
  action: 'task.approve',
  summary: 'Approve a batch that another operator has created: it begins',
  responses: { 202: json(TaskSchema, 'The task; its run is told') },
});

const rejectTask = operation({
  id: 'rejectTask',
  ...shared,
  path: '/v1/tasks/{id}/reject',
  action: 'task.reject',
  summary: 'Reject a batch that another operator has created: it ends, and nothing was sent',
  responses: { 202: json(TaskSchema, 'The task; its run is told') },
});

interface ApprovalDeps {
  readonly records: Pick<Records, 'decideTask'>;
  readonly answers: Answers;
  readonly deliver: ApiDeps['deliver'];
  readonly now: () => number;
}

/** The two-person rule: who creates a large batch can't be the one who lets it go. */
export function approvalRoutes({ records, answers, deliver, now }: ApprovalDeps) {
  async function decide(
    c: Context<ApiEnv>,
    { id, decision, remark }: { id: string; decision: 'approved' | 'rejected'; remark: string },
  ) {
    const by = c.get('principal').name;
    const { value: task, replayed } = await records.decideTask(id, { decision, by, remark, atMs: now() });
    if (replayed) noteNothingDone(c);
    void deliver(id);
    return answers.task(task);
  }

  return newRouter()
    .openapi(approveTask, async (c) => {
      const { remark = '' } = c.req.valid('json');
      return c.json(await decide(c, { id: c.req.valid('param').id, decision: 'approved', remark }), 202);
    })
    .openapi(rejectTask, async (c) => {
      const { remark = '' } = c.req.valid('json');
      return c.json(await decide(c, { id: c.req.valid('param').id, decision: 'rejected', remark }), 202);
    });
}
