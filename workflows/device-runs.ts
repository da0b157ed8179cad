import {
  ApplicationFailure,
  CancelledFailure,
  TerminatedFailure,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common';
import {
  CancellationScope,
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  getExternalWorkflowHandle,
  isCancellation,
  ParentClosePolicy,
  patched,
  setCurrentDetails,
  setHandler,
  sleep,
  startChild,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import type { ForeignEnd, Held, ShardDevice } from '../activities/activities.js';
import { FailureCause } from '../domain/causes.js';
import { deviceUpdateWorkflowId } from '../domain/ids.js';
import { startCancellable } from './cancellable-start.js';
import { describeOutcomes } from './descriptions.js';
import type { deviceUpdate } from './device-update.js';
import { deviceRunContinuedSignal, type ContinuedRun } from './messages.js';
import { activities, longActivities } from './proxies.js';
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
 * unconfirmed at once, while a bound on *open* runs would be blocked by offline devices.
 * A cancellation of the scope goes to every run; the promise still resolves once all have ended.
 *
 * @param slice the devices' places in the task
 */
export async function runDevices(
  input: TaskInput,
  devices: readonly ShardDevice[],
  slice: readonly [number, number],
  { lastAsked, allConfirmed }: StartsTold = {},
): Promise<OutcomeCounts> {
  let counts = NO_OUTCOMES;
  const ends: Promise<void>[] = [];
  const remaining = devices.values();
  let asked = 0;
  cancelContinuedRuns(CancellationScope.current());
  const stop = stopping(input, slice);

  const count = (end: keyof OutcomeCounts) => {
    counts = { ...counts, [end]: counts[end] + 1 };
    setCurrentDetails(describeOutcomes(counts, devices.length));
    tellStory('outcomes', counts);
  };
  const follow = (device: ShardDevice, run: DeviceRun) => {
    const end = followRun(input, device, { run, stop });
    stop.follow(device, end);
    ends.push(end.then(count));
  };
  // The scope of the runs is cancelled later than the task: none is started meanwhile.
  const start = (device: ShardDevice): Promise<DeviceRun | 'held'> =>
    stop.isCancelled()
      ? Promise.reject(new CancelledFailure('Cancelled before its start'))
      : stop.runs.run(() => startRun(input, device));
  const held = heldDevices(input, { start, follow, count });
  const startNext = async () => {
    for (const device of remaining) {
      const starting = start(device);
      if (++asked === devices.length && lastAsked) ends.push(CancellationScope.nonCancellable(lastAsked));
      const run = await starting;
      if (run !== 'held') follow(device, run);
      else if (patched('waits-for-a-closing-run')) held.add(device);
      else await endBusy(input, device).then(() => count('failed'));
    }
  };
  // A cancelled scope makes the next start throw; devices not started are then cancelled by the task's end.
  const starters = Array.from({ length: Math.min(input.unconfirmedStartsMax, devices.length) }, startNext);
  const started = await Promise.allSettled(starters);
  const broken = started.find((result) => result.status === 'rejected' && !isCancellation(result.reason));
  if (broken?.status === 'rejected') throw broken.reason;
  if (allConfirmed) await CancellationScope.nonCancellable(allConfirmed);
  await held.done();
  await Promise.all(ends);
  stop.isOver();
  return counts;
}

type DeviceRun = ChildWorkflowHandle<typeof deviceUpdate>;

/** `held`: the device has a run of another task, which the server finds out: it refuses the second run. */
async function startRun(input: TaskInput, device: ShardDevice): Promise<DeviceRun | 'held'> {
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
    if (error instanceof WorkflowExecutionAlreadyStartedError) return 'held';
    throw error;
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
  { run, stop }: { readonly run: DeviceRun; readonly stop: Stopping },
): Promise<keyof OutcomeCounts> {
  try {
    const { status } = await run.result();
    return status === 'cancelled' ? 'cancelled' : 'succeeded';
  } catch (error) {
    if (isCancellation(error)) return 'cancelled';
    const cause = error instanceof ChildWorkflowFailure ? error.cause : undefined;
    if (cause instanceof ApplicationFailure && isFailureCause(cause.type)) return 'failed';
    if (cause instanceof TerminatedFailure) {
      if (await stop.hasClosed(device)) return 'cancelled';
      return (await endForeign(input, device, { kind: 'terminated' })) ?? 'cancelled';
    }
    await endForeign(input, device, { kind: 'lost', reason: cause?.message ?? String(error) });
    return 'failed';
  }
}

const isFailureCause = (type: string | null | undefined): boolean =>
  (Object.values(FailureCause) as string[]).includes(type ?? '');

/** A device that has not finished its last update fails: its other update goes on. */
const endBusy = (input: TaskInput, device: ShardDevice) => endForeign(input, device, { kind: 'busy' });

const endForeign = ({ taskId, productKey }: TaskInput, { deviceName }: ShardDevice, end: ForeignEnd) =>
  CancellationScope.nonCancellable(() =>
    activities.endDeviceUpdate({ taskId, productKey, deviceName }, end, Date.now()),
  );

interface Stopping {
  /** The runs' scope: cancelled once those of which no device was told are closed. */
  readonly runs: CancellationScope;
  isCancelled(): boolean;
  /** All runs have ended: a later cancellation has nothing to do. */
  isOver(): void;
  follow(device: ShardDevice, end: Promise<unknown>): void;
  /** Whether the run was closed since its device was told nothing: the records have its end. */
  hasClosed(device: ShardDevice): Promise<boolean>;
}

/**
 * What a cancellation does, from the outside in: runs of which no device was told anything are closed without being
 * woken up, which costs a fraction of a cancellation; the others are cancelled, and record their ends themselves.
 */
function stopping({ taskId, productKey }: TaskInput, slice: readonly [number, number]): Stopping {
  const outer = CancellationScope.current();
  // Cancelled by nobody but this function.
  const shield = new CancellationScope({ cancellable: false });
  const runs = new CancellationScope({ cancellable: true, parent: shield });
  const followed = new Map<string, Promise<unknown>>();
  let closed: Promise<ReadonlySet<string>> | undefined;
  let hasEnded = false;

  const closeUntold = async () => {
    if (followed.size === 0) return runs.cancel();
    closed = CancellationScope.nonCancellable(() => longActivities.closeUntoldRuns({ taskId, productKey }, ...slice))
      .then((names) => new Set(names))
      .catch(() => new Set<string>());
    // The engine tells of their ends one by one; to cancel them meanwhile would be a request for each.
    for (const name of await closed) await followed.get(name)?.catch(() => undefined);
    runs.cancel();
  };
  outer.cancelRequested.catch(() => {
    if (hasEnded) return;
    if (patched('closes-untold-runs')) void closeUntold();
    else runs.cancel();
  });
  return {
    runs,
    isCancelled: () => outer.consideredCancelled,
    isOver: () => void (hasEnded = true),
    follow: ({ deviceName }, end) => void followed.set(deviceName, end),
    hasClosed: async ({ deviceName }) => closed !== undefined && (await closed).has(deviceName),
  };
}

/** How long a device is waited for whose former update is being stopped. */
const HELD_MAX_MS = 24 * 3_600_000;
const HELD_DELAY_MS = { first: 1_000, most: 60_000 } as const;

interface HeldDeps {
  readonly start: (device: ShardDevice) => Promise<DeviceRun | 'held'>;
  readonly follow: (device: ShardDevice, run: DeviceRun) => void;
  readonly count: (end: keyof OutcomeCounts) => void;
}

/**
 * Devices whose runs were refused. One whose former update is being stopped is started as soon as that has closed; one
 * whose other update goes on has failed. All are asked for at once, so that the history grows with time, not with them.
 */
export function heldDevices(input: TaskInput, { start, follow, count }: HeldDeps) {
  const { taskId, productKey } = input;
  let waiting: ShardDevice[] = [];
  let work: Promise<void> | undefined;
  let broken: Error | undefined;

  async function settle(device: ShardDevice, by: Held['by'], isLast: boolean): Promise<void> {
    if (by === 'over') return count('cancelled');
    const run = by === 'nobody' ? await start(device) : 'held';
    if (run !== 'held') return follow(device, run);
    if (by !== 'busy' && !isLast) return void waiting.push(device);
    await endBusy(input, device);
    count('failed');
  }
  function begin(): void {
    work ??= waitForAll()
      .catch((error: unknown) => {
        // Cancelled: devices not started are cancelled by the task's end.
        waiting = [];
        if (!isCancellation(error)) broken = error instanceof Error ? error : new Error(String(error));
      })
      .finally(() => {
        work = undefined;
        // A device may have been added after the loop had found the list empty.
        if (waiting.length > 0) begin();
      });
  }
  async function waitForAll(): Promise<void> {
    const untilMs = Date.now() + HELD_MAX_MS;
    for (let delayMs: number = HELD_DELAY_MS.first; waiting.length > 0;) {
      await sleep(delayMs);
      delayMs = Math.min(2 * delayMs, HELD_DELAY_MS.most);
      const asked = new Map(waiting.map((device) => [device.deviceName, device]));
      waiting = [];
      const answers = await longActivities.whoHolds({ taskId, productKey }, [...asked.keys()]);
      for (const { deviceName, by } of answers) {
        const device = asked.get(deviceName);
        if (device) await settle(device, by, Date.now() >= untilMs);
      }
    }
  }

  return {
    add(device: ShardDevice): void {
      waiting.push(device);
      begin();
    },
    async done(): Promise<void> {
      while (work) await work;
      if (broken) throw broken;
    },
  };
}
