import type { Context } from 'hono';
import { resolvePolicy } from '../domain/policy.js';
import type { Created, Records, TaskRecord } from '../records/records.js';
import { batchPreviewAnswer, type Answers } from './answers.js';
import { Permission } from './auth.js';
import type { ApiDeps, ApiEnv } from './deps.js';
import { idempotencyOf, IdempotencyHeaders, markReplay } from './idempotency.js';
import { newId } from './ids.js';
import { json, jsonBody, operation, optionalJsonBody } from './operation.js';
import { CreateBatchUpdate, CreateVerification, DEVICE_LIST_BODY, IdParams, Reinitiate } from './requests.js';
import { newRouter } from './router.js';
import { Scope } from './scope.js';
import { BatchPreviewSchema, TaskSchema } from './schemas.js';

const accepted = { 202: json(TaskSchema, 'The task; its workflow is started') };

const createVerification = operation({
  id: 'createVerification',
  method: 'post',
  path: '/v1/firmware/{id}/verifications',
  tag: 'Tasks',
  summary: 'Validate a firmware on a few devices',
  description:
    'When it ends, the firmware is verified, whatever the results on the devices, if at least one was reached.',
  permission: Permission.RUN_TASKS,
  scope: Scope.FIRMWARE,
  action: 'verification.create',
  request: { params: IdParams, headers: IdempotencyHeaders, body: jsonBody(CreateVerification) },
  responses: accepted,
  problems: [
    'not-found',
    'firmware-deleted',
    'firmware-signature-invalid',
    'trust-undecided',
    'devices-invalid',
    'downgrade-not-allowed',
    'idempotency-key-reused',
  ],
});

const createBatchUpdate = operation({
  id: 'createBatchUpdate',
  method: 'post',
  path: '/v1/firmware/{id}/batch-updates',
  tag: 'Tasks',
  summary: 'Update all devices that run one of the source versions, or those listed',
  permission: Permission.RUN_TASKS,
  scope: Scope.FIRMWARE,
  action: 'batch.create',
  bodyMax: DEVICE_LIST_BODY,
  request: { params: IdParams, headers: IdempotencyHeaders, body: jsonBody(CreateBatchUpdate) },
  responses: accepted,
  problems: [
    'not-found',
    'firmware-deleted',
    'firmware-not-verified',
    'firmware-not-proven',
    'firmware-signature-invalid',
    'trust-undecided',
    'update-task-conflict',
    'devices-invalid',
    'downgrade-not-allowed',
    'no-target-devices',
    'batch-too-large',
    'idempotency-key-reused',
  ],
});

const reinitiateTask = operation({
  id: 'reinitiateTask',
  method: 'post',
  path: '/v1/tasks/{id}/reinitiate',
  tag: 'Tasks',
  summary: 'Update the failed devices of an ended task again, all or chosen ones',
  permission: Permission.RUN_TASKS,
  scope: Scope.TASK,
  action: 'task.reinitiate',
  bodyMax: DEVICE_LIST_BODY,
  request: {
    params: IdParams,
    headers: IdempotencyHeaders,
    body: optionalJsonBody(Reinitiate),
  },
  responses: accepted,
  problems: [
    'not-found',
    'firmware-deleted',
    'firmware-not-verified',
    'firmware-not-proven',
    'firmware-signature-invalid',
    'trust-undecided',
    'update-task-conflict',
    'task-not-ended',
    'nothing-to-reinitiate',
    'devices-invalid',
    'downgrade-not-allowed',
    'idempotency-key-reused',
  ],
});

const previewBatchUpdate = operation({
  id: 'previewBatchUpdate',
  method: 'post',
  path: '/v1/firmware/{id}/batch-updates/preview',
  tag: 'Tasks',
  summary: 'Show what a batch update would meet if it was created now',
  description: 'Creates nothing: it counts devices, and names conflicts and what would be refused.',
  permission: Permission.READ,
  scope: Scope.FIRMWARE,
  bodyMax: DEVICE_LIST_BODY,
  request: { params: IdParams, body: jsonBody(CreateBatchUpdate) },
  responses: { 200: json(BatchPreviewSchema, 'The preview') },
  problems: ['not-found'],
});

interface CreationDeps {
  readonly records: Records;
  readonly answers: Answers;
  readonly deliver: ApiDeps['deliver'];
  readonly approvalAbove: ApiDeps['approvalAbove'];
  readonly now: () => number;
}

/** What creates update tasks. The task is recorded first; the engine is told afterwards, by the outbox. */
export function taskCreationRoutes({ records, answers, deliver, approvalAbove, now }: CreationDeps) {
  function accept(c: Context<ApiEnv>, created: Created<TaskRecord>) {
    const task = markReplay(c, created);
    void deliver(task.id);
    c.header('Location', `/v1/tasks/${task.id}`);
    return answers.task(task);
  }

  return newRouter()
    .openapi(createVerification, async (c) => {
      const body = c.req.valid('json');
      const created = await records.createTask({
        id: newId(),
        kind: 'verification',
        firmwareId: c.req.valid('param').id,
        sourceVersions: [],
        deviceNames: body.deviceNames,
        policy: resolvePolicy('verification', body.policy),
        createdAtMs: now(),
        startedBy: c.get('principal').name,
        approvalAbove,
        idempotency: idempotencyOf(c, body),
      });
      return c.json(accept(c, created), 202);
    })
    .openapi(createBatchUpdate, async (c) => {
      const body = c.req.valid('json');
      const created = await records.createTask({
        id: newId(),
        kind: 'batch',
        firmwareId: c.req.valid('param').id,
        sourceVersions: body.sourceVersions,
        deviceNames: body.deviceNames ?? null,
        policy: resolvePolicy('batch', body.policy),
        createdAtMs: now(),
        startedBy: c.get('principal').name,
        approvalAbove,
        idempotency: idempotencyOf(c, body),
      });
      return c.json(accept(c, created), 202);
    })
    .openapi(previewBatchUpdate, async (c) => {
      const { sourceVersions, deviceNames, policy } = c.req.valid('json');
      const preview = await records.previewBatch({
        firmwareId: c.req.valid('param').id,
        sourceVersions,
        deviceNames: deviceNames ?? null,
        policy: resolvePolicy('batch', policy),
      });
      return c.json(batchPreviewAnswer(preview), 200);
    })
    .openapi(reinitiateTask, async (c) => {
      const body = c.req.valid('json');
      const created = await records.reinitiateTask({
        id: newId(),
        reinitiates: c.req.valid('param').id,
        deviceNames: body.deviceNames ?? null,
        createdAtMs: now(),
        startedBy: c.get('principal').name,
        approvalAbove,
        idempotency: idempotencyOf(c, body),
      });
      return c.json(accept(c, created), 202);
    });
}
