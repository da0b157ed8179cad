import type { NativeConnection } from '@temporalio/worker';
import { Worker } from '@temporalio/worker';
import { createActivities, type ActivityDeps } from '../activities/activities.js';
import { TASK_QUEUE } from '../domain/ids.js';
import { SILENT_STORY } from './replay/silent-story.js';
import { workflowCode } from './workflow-bundle.js';

/** What a worker may still do after it was told to stop: an activity takes milliseconds. */
const SHUTDOWN_GRACE_MS = 5_000;
const SHUTDOWN_FORCE_MS = 8_000;

export interface WorkflowWorkerOptions {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly activities: ActivityDeps;
}

export interface WorkflowWorker {
  /** Rejects when the worker breaks; resolves when it has been stopped. */
  readonly running: Promise<void>;
  stop(): Promise<void>;
}

/** The worker that carries workflows and activities, polling from the moment the promise resolves. */
export async function startWorkflowWorker({
  connection,
  namespace,
  activities,
}: WorkflowWorkerOptions): Promise<WorkflowWorker> {
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue: TASK_QUEUE,
    ...workflowCode(),
    sinks: SILENT_STORY,
    activities: createActivities(activities),
    shutdownGraceTime: SHUTDOWN_GRACE_MS,
    shutdownForceTime: SHUTDOWN_FORCE_MS,
  });
  const running = worker.run();
  return {
    running,
    async stop() {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await running;
    },
  };
}
