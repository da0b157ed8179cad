/** What activities ask of the engine about device updates' runs; injected (worker/device-runs.ts). */
export interface DeviceRuns {
  /** Closes a run at once, without waking it up; nothing when it is closed. */
  terminate(workflowId: string, runId: string): Promise<void>;
  /** The task of the open run of a workflow id, if there is one. */
  holder(workflowId: string): Promise<{ readonly taskId: string } | undefined>;
}
