import { ApplicationFailure, TerminatedFailure, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  getExternalWorkflowHandle,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  startChild,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import type { ForeignEnd, ShardDevice } from '../activities/activities.js';
import { FailureCause } from '../domain/causes.js';
import { deviceUpdateWorkflowId } from '../domain/ids.js';
import { startCancellable } from './cancellable-start.js';
import { describeOutcomes } from './descriptions.js';
import type { deviceUpdate } from './device-update.js';
import { deviceRunContinuedSignal, type ContinuedRun } from './messages.js';
import { activities } from './proxies.js';
import { tellStory } from './story.js';
import { NO_OUTCOMES, runSummary, searchAttributes, type OutcomeCounts, type TaskInput } from './task-input.js';

/** A run that is cancelled must tell its records, and its parent must wait for that; so must one whose parent is gone. */
export const CHILD_POLICIES = {
  cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
  parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
} as const;

/** Each is called once at most: a cancellation may come before the last start. */
export interface StartsTold {
  /** With the last start: those before it may be unconfirmed still. */
  readonly lastAsked?: () => Promise<void>;
  readonly allConfirmed?: () => Promise<void>;
}

/**
 * Starts a run per device and follows each to its end. All get started, at a pace: a bounded number of starts is
 * unconfirmed at once, while a bound on *open* runs would be blocked by offline devices [design: workflows].
 * A cancellation of the scope goes to every run; the promise still resolves once all have ended.
 */
export async function runDevices(
  input: TaskInput,
  devices: readonly ShardDevice[],
  { lastAsked, allConfirmed }: StartsTold = {},
): Promise<OutcomeCounts> {
  let counts = NO_OUTCOMES;
  const ends: Promise<void>[] = [];
  const remaining = devices.values();
  let asked = 0;
  cancelContinuedRuns(CancellationScope.current());

  const count = (end: keyof OutcomeCounts) => {
    counts = { ...counts, [end]: counts[end] + 1 };
    setCurrentDetails(describeOutcomes(counts, devices.length));
    tellStory('outcomes', counts);
  };
  const startNext = async () => {
    for (const device of remaining) {
      const starting = startRun(input, device);
      if (++asked === devices.length && lastAsked) ends.push(CancellationScope.nonCancellable(lastAsked));
      const run = await starting;
      if (run === 'busy') count('failed');
      else ends.push(followRun(input, device, run).then(count));
    }
  };
  // A cancelled scope makes the next start throw; devices not started are then cancelled by the task's end.
  const starters = Array.from({ length: Math.min(input.unconfirmedStartsMax, devices.length) }, startNext);
  const started = await Promise.allSettled(starters);
  const broken = started.find((result) => result.status === 'rejected' && !isCancellation(result.reason));
  if (broken?.status === 'rejected') throw broken.reason;
  if (allConfirmed) await CancellationScope.nonCancellable(allConfirmed);
  await Promise.all(ends);
  return counts;
}

/** [seed: batch update] a device that has not finished its last update task fails: the server refuses its second run. */
async function startRun(
  input: TaskInput,
  device: ShardDevice,
): Promise<ChildWorkflowHandle<typeof deviceUpdate> | 'busy'> {
  const { taskId, kind, productKey, firmware, policy, deviceRunEventsMax } = input;
  const eventsMax = deviceRunEventsMax === undefined ? {} : { eventsMax: deviceRunEventsMax };
  const { deviceName, protocol, attempt } = device;
  try {
    return await startCancellable(() =>
      startChild<typeof deviceUpdate>('deviceUpdate', {
        workflowId: deviceUpdateWorkflowId({ productKey, deviceName }),
        args: [{ taskId, kind, productKey, firmware, policy, deviceName, protocol, attempt, ...eventsMax }],
        typedSearchAttributes: searchAttributes(input, deviceName),
        staticSummary: runSummary({ deviceName, attempt, firmware }),
        ...CHILD_POLICIES,
      }),
    );
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    await endForeign(input, device, { kind: 'busy' });
    return 'busy';
  }
}

/**
 * A cancellation reaches the run with which a child began, and is lost when that one has closed since: a child that goes
 * on under a new run is cancelled by that.
 */
function cancelContinuedRuns(scope: CancellationScope): void {
  const continued = new Map<string, ContinuedRun>();
  const cancel = ({ workflowId, runId }: ContinuedRun): void => {
    // One that has ended needs no cancellation; one that goes on once more tells it.
    void CancellationScope.nonCancellable(() => getExternalWorkflowHandle(workflowId, runId).cancel()).catch(
      () => undefined,
    );
  };
  setHandler(deviceRunContinuedSignal, (run) => {
    continued.set(run.workflowId, run);
    if (scope.consideredCancelled) cancel(run);
  });
  scope.cancelRequested.catch(() => continued.forEach(cancel));
}

/** Follows a run to its end, whatever it is; the records have an outcome when it resolves. */
async function followRun(
  input: TaskInput,
  device: ShardDevice,
  run: ChildWorkflowHandle<typeof deviceUpdate>,
): Promise<keyof OutcomeCounts> {
  try {
    const { status } = await run.result();
    return status === 'cancelled' ? 'cancelled' : 'succeeded';
  } catch (error) {
    if (isCancellation(error)) return 'cancelled';
    const cause = error instanceof ChildWorkflowFailure ? error.cause : undefined;
    if (cause instanceof ApplicationFailure && isFailureCause(cause.type)) return 'failed';
    if (cause instanceof TerminatedFailure) {
      return (await endForeign(input, device, { kind: 'terminated' })) ?? 'cancelled';
    }
    await endForeign(input, device, { kind: 'lost', reason: cause?.message ?? String(error) });
    return 'failed';
  }
}

const isFailureCause = (type: string | null | undefined): boolean =>
  (Object.values(FailureCause) as string[]).includes(type ?? '');

const endForeign = ({ taskId, productKey }: TaskInput, { deviceName }: ShardDevice, end: ForeignEnd) =>
  CancellationScope.nonCancellable(() =>
    activities.endDeviceUpdate({ taskId, productKey, deviceName }, end, Date.now()),
  );
