import { z } from '@hono/zod-openapi';
import { notFound } from '../domain/errors.js';
import { isTaskOpen } from '../domain/update-task.js';
import type { Records, TaskRecord } from '../records/records.js';
import { pageAnswer, type Answers } from './answers.js';
import { noteBefore } from './audit.js';
import { Permission } from './auth.js';
import type { ApiDeps } from './deps.js';
import { deviceUpdatesCsv } from './device-updates-csv.js';
import { json, operation } from './operation.js';
import {
  DeviceUpdatesCsvQuery,
  DeviceUpdatesQuery,
  IdParams,
  TaskDeviceParams,
  TasksQuery,
  TimelineQuery,
} from './requests.js';
import { newRouter } from './router.js';
import { timelineAnswer, timelineOf } from './timeline.js';
import { narrowed, Scope } from './scope.js';
import { DeviceUpdateSchema, pageOf, TaskDetailSchema, TaskSchema, TimelineSchema } from './schemas.js';

const listTasks = operation({
  id: 'listTasks',
  method: 'get',
  path: '/v1/tasks',
  tag: 'Tasks',
  summary: 'List update tasks, newest first: the update operation records',
  permission: Permission.READ,
  scope: Scope.NARROWED,
  request: { query: TasksQuery },
  responses: { 200: json(pageOf(TaskSchema), 'A page of tasks') },
  problems: ['not-found'],
});

const getTask = operation({
  id: 'getTask',
  method: 'get',
  path: '/v1/tasks/{id}',
  tag: 'Tasks',
  summary: 'Show a task, with its failures by cause',
  permission: Permission.READ,
  scope: Scope.TASK,
  request: { params: IdParams },
  responses: { 200: json(TaskDetailSchema, 'The task') },
  problems: ['not-found'],
});

const getTimeline = operation({
  id: 'getTimeline',
  method: 'get',
  path: '/v1/tasks/{id}/timeline',
  tag: 'Tasks',
  summary: 'Count the device updates of a task that ended, over time',
  description: 'From its start to its end, or to now.',
  permission: Permission.READ,
  scope: Scope.TASK,
  request: { params: IdParams, query: TimelineQuery },
  responses: { 200: json(TimelineSchema, 'The counts') },
  problems: ['not-found'],
});

const listDeviceUpdates = operation({
  id: 'listDeviceUpdates',
  method: 'get',
  path: '/v1/tasks/{id}/devices',
  tag: 'Tasks',
  summary: 'List the device updates of a task',
  permission: Permission.READ,
  scope: Scope.TASK,
  request: { params: IdParams, query: DeviceUpdatesQuery },
  responses: { 200: json(pageOf(DeviceUpdateSchema), 'A page of device updates') },
  problems: ['not-found'],
});

const exportDeviceUpdates = operation({
  id: 'exportDeviceUpdates',
  method: 'get',
  path: '/v1/tasks/{id}/devices.csv',
  tag: 'Tasks',
  summary: 'Export the device updates of a task as CSV',
  permission: Permission.READ,
  scope: Scope.TASK,
  request: { params: IdParams, query: DeviceUpdatesCsvQuery },
  responses: { 200: { description: 'One line a device', content: { 'text/csv': { schema: z.string() } } } },
  problems: ['not-found'],
});

const cancelTask = operation({
  id: 'cancelTask',
  method: 'post',
  path: '/v1/tasks/{id}/cancel',
  tag: 'Tasks',
  summary: 'Cancel a task: its open device updates are cancelled',
  permission: Permission.RUN_TASKS,
  scope: Scope.TASK,
  action: 'task.cancel',
  request: { params: IdParams },
  responses: { 202: json(TaskSchema, 'The task; its cancellation is under way') },
  problems: ['not-found', 'task-not-open'],
});

const endVerification = operation({
  id: 'endVerification',
  method: 'post',
  path: '/v1/tasks/{id}/end',
  tag: 'Tasks',
  summary: 'End a verification early: the firmware becomes verified',
  permission: Permission.RUN_TASKS,
  scope: Scope.TASK,
  action: 'verification.end',
  request: { params: IdParams },
  responses: { 202: json(TaskSchema, 'The task; its end is under way') },
  problems: ['not-found', 'task-not-open', 'not-a-verification', 'verification-reached-nobody'],
});

const cancelDeviceUpdate = operation({
  id: 'cancelDeviceUpdate',
  method: 'post',
  path: '/v1/tasks/{id}/devices/{deviceName}/cancel',
  tag: 'Tasks',
  summary: 'Cancel the update of one device of a task',
  permission: Permission.RUN_TASKS,
  scope: Scope.TASK,
  action: 'device-update.cancel',
  request: { params: TaskDeviceParams },
  responses: { 202: json(DeviceUpdateSchema, 'The device update; its cancellation is under way') },
  problems: ['not-found', 'device-update-ended'],
});

/** Of the device updates that have not ended; of very many, the records count the first ones only. */
function onlineOf({ counts }: TaskRecord, counted: { readonly devices: number; readonly online: number }): number {
  const open = counts.pending + counts.notified + counts.upgrading;
  return counted.devices === 0 ? 0 : Math.round((counted.online / counted.devices) * Math.max(open, counted.devices));
}

interface TaskRouteDeps {
  readonly records: Records;
  readonly answers: Answers;
  readonly deliver: ApiDeps['deliver'];
  readonly now: () => number;
}

export function taskRoutes({ records, answers, deliver, now }: TaskRouteDeps) {
  async function requireTask(id: string): Promise<TaskRecord> {
    const task = await records.getTask(id);
    if (!task) throw notFound(`Task ${id}`);
    return task;
  }

  return newRouter()
    .openapi(listTasks, async (c) => {
      const { limit, cursor, productKey, ...filter } = c.req.valid('query');
      const whole = { ...filter, productKey: narrowed(c, productKey) };
      return c.json(pageAnswer(await records.listTasks(whole, { limit, cursor }), answers.task), 200);
    })
    .openapi(getTask, async (c) => {
      const task = await requireTask(c.req.valid('param').id);
      const failuresByCause = { ...(await records.countFailuresByCause(task.id)) };
      return c.json({ ...answers.task(task), failuresByCause }, 200);
    })
    .openapi(getTimeline, async (c) => {
      const task = await requireTask(c.req.valid('param').id);
      const { points, minutes } = c.req.valid('query');
      const lastMs = minutes === undefined ? {} : { lastMs: minutes * 60_000 };
      const timeline = timelineOf(task, { points, nowMs: now(), ...lastMs });
      const [ended, online] = await Promise.all([
        records.countEnded(task.id, timeline.fromMs, timeline.spanMs),
        isTaskOpen(task.status) ? records.countOnline(task.id) : { devices: 0, online: 0 },
      ]);
      return c.json(timelineAnswer(timeline, ended, onlineOf(task, online)), 200);
    })
    .openapi(listDeviceUpdates, async (c) => {
      const task = await requireTask(c.req.valid('param').id);
      const { limit, cursor, ...filter } = c.req.valid('query');
      const page = await records.listDeviceUpdates(task.id, filter, { limit, cursor });
      return c.json(
        pageAnswer(page, (update) => answers.deviceUpdate(update, task.policy)),
        200,
      );
    })
    .openapi(exportDeviceUpdates, async (c) => {
      const task = await requireTask(c.req.valid('param').id);
      const filter = c.req.valid('query');
      const body = deviceUpdatesCsv(answers.task(task).firmware, async (cursor) => {
        const page = await records.listDeviceUpdates(task.id, filter, { limit: 500, cursor });
        return pageAnswer(page, (update) => answers.deviceUpdate(update, task.policy));
      });
      return c.body(body, 200, {
        'Content-Type': 'text/csv; charset=utf-8',
        'Content-Disposition': `attachment; filename="task-${task.id}-devices.csv"`,
      });
    })
    .openapi(cancelTask, async (c) => {
      const { id } = c.req.valid('param');
      const { status, counts } = await requireTask(id);
      noteBefore(c, { status, counts });
      const task = await records.requestTaskCancel(id, now());
      void deliver(task.id);
      return c.json(answers.task(task), 202);
    })
    .openapi(endVerification, async (c) => {
      const task = await records.requestVerificationEnd(c.req.valid('param').id, now());
      void deliver(task.id);
      return c.json(answers.task(task), 202);
    })
    .openapi(cancelDeviceUpdate, async (c) => {
      const { id, deviceName } = c.req.valid('param');
      const { policy } = await requireTask(id);
      const update = await records.requestDeviceCancel(id, deviceName, now());
      void deliver(id);
      return c.json(answers.deviceUpdate(update, policy), 202);
    });
}
