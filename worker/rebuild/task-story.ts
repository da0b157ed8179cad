import type { Held, ShardDevice } from '../../activities/activities.js';
import { failed, initialState, cancelled, type DeviceUpdateState } from '../../domain/device-update.js';
import { wholePolicy } from '../../domain/policy.js';
import type { Approval, TaskStatus } from '../../domain/update-task.js';
import type { DeviceUpdateSnapshot, TaskSnapshot } from '../../records/records.js';
import type { ShardInput, TaskInput, TaskResult } from '../../workflows/task-input.js';
import { atMsOf, localActivityOf, patchOf, valueOf, type HistoryEvent } from '../replay/decode.js';
import type { History } from '../replay/replay-history.js';

/** What the history of a task's or a shard's run tells of the devices it was to update. */
export interface ParentStory {
  readonly devices: readonly ShardDevice[];
  /** Place of the first one. */
  readonly firstOrdinal: number;
  /** By device: how its update ended where no run of its own could end it. */
  readonly foreignEnds: ReadonlyMap<string, DeviceUpdateState>;
}

/** Of the run of a verification, or of a shard of a batch. */
export function parentStory(history: History): ParentStory {
  const events = history.events ?? [];
  const input = inputOf(events);
  const ends = new ForeignEnds();
  let devices: readonly ShardDevice[] = [];
  for (const event of events) {
    const activity = localActivityOf(event);
    // A try that failed has left its mark too.
    if (activity?.name === 'loadShard' && activity.failure === undefined)
      devices = activity.answer as readonly ShardDevice[];
    ends.hear(event);
  }
  return { devices, firstOrdinal: (input.shard ?? 0) * input.shardDevices, foreignEnds: ends.all() };
}

/** Ends of device updates that no run of their own has recorded, as the run above them tells. */
class ForeignEnds {
  private readonly ends = new Map<string, DeviceUpdateState>();
  /** Refused since the last workflow task began: the device may be waited for. */
  private readonly refused = new Map<string, DeviceUpdateState>();
  private readonly questions = new Set<string>();
  private nowMs = 0;
  private waits = false;
  private closesUntold = false;

  hear(event: HistoryEvent): void {
    if (event.workflowTaskStartedEventAttributes) {
      this.settle();
      this.nowMs = atMsOf(event);
    }
    const patch = patchOf(event);
    // A refusal is no end from here on: the run asks who holds the device.
    if (patch === 'waits-for-a-closing-run') {
      this.waits = true;
      this.refused.clear();
    }
    if (patch === 'closes-untold-runs') this.closesUntold = true;
    this.hearOfRun(event);
    this.hearOfHolders(event);
  }

  all(): ReadonlyMap<string, DeviceUpdateState> {
    this.settle();
    return this.ends;
  }

  private settle(): void {
    if (!this.waits) for (const [deviceName, end] of this.refused) this.ends.set(deviceName, end);
    this.refused.clear();
  }

  private hearOfRun(event: HistoryEvent): void {
    const atMs = Math.max(this.nowMs, atMsOf(event));
    const refused = event.startChildWorkflowExecutionFailedEventAttributes;
    if (refused) this.refused.set(deviceOf(refused.workflowId), failed(initialState(null), 'device-busy', atMs));
    const terminated = event.childWorkflowExecutionTerminatedEventAttributes;
    if (!terminated) return;
    const detail = this.closesUntold ? 'An operator cancelled it.' : 'Its run was terminated in Temporal.';
    const deviceName = deviceOf(terminated.workflowExecution?.workflowId);
    this.ends.set(deviceName, cancelled(initialState(null), atMs, detail));
  }

  private hearOfHolders(event: HistoryEvent): void {
    const asked = event.activityTaskScheduledEventAttributes;
    if (asked?.activityType?.name === 'whoHolds') this.questions.add(String(event.eventId));
    const answered = event.activityTaskCompletedEventAttributes;
    if (!answered || !this.questions.has(String(answered.scheduledEventId))) return;
    for (const { deviceName, by } of valueOf(answered.result) as readonly Held[]) {
      if (by === 'busy') this.ends.set(deviceName, failed(initialState(null), 'device-busy', atMsOf(event)));
    }
  }
}

/** Of `device-update/<product>/<device>`; neither name has a slash in it. */
const deviceOf = (workflowId: string | null | undefined): string => (workflowId ?? '').split('/').at(-1) ?? '';

const inputOf = (events: readonly HistoryEvent[]): TaskInput & Partial<ShardInput> =>
  valueOf(events[0]?.workflowExecutionStartedEventAttributes?.input) as TaskInput;

/** The run of a device update: its id, and the state in which its replay leaves it. */
export interface DeviceRun {
  readonly runId: string;
  readonly state: DeviceUpdateState | null;
}

export interface TaskParts {
  readonly runId: string;
  readonly status: 'RUNNING' | 'COMPLETED' | 'OTHER';
  readonly history: History;
  readonly parents: readonly ParentStory[];
  /** By device name. */
  readonly deviceRuns: ReadonlyMap<string, DeviceRun>;
}

export interface RebuiltTask {
  readonly snapshot: TaskSnapshot;
  /** Devices of shards that never began: no history names them. */
  readonly missingDevices: number;
  /** From before tasks carried their origin: size and digests of the firmware are unknown. */
  readonly hasOrigin: boolean;
}

/** Puts a task together from the histories of its runs. */
export function rebuiltTask({ runId, status, history, parents, deviceRuns }: TaskParts): RebuiltTask {
  const events = history.events ?? [];
  const input = inputOf(events);
  const times = timesOf(events, status);
  const snapshot: TaskSnapshot = {
    id: input.taskId,
    kind: input.kind,
    status: statusOf(status, events, input),
    needsApproval: input.approval !== undefined,
    approval: approvalOf(events),
    sourceVersions: input.origin?.sourceVersions ?? [],
    policy: wholePolicy(input.policy),
    reinitiates: input.origin?.reinitiates ?? null,
    startedBy: input.origin?.startedBy ?? null,
    runId,
    createdAtMs: input.origin?.createdAtMs ?? times.startedAtMs ?? 0,
    ...times,
    firmware: firmwareOf(input, times.startedAtMs ?? 0),
    deviceUpdates: parents.flatMap((parent) => deviceUpdatesOf(parent, deviceRuns, times.endedAtMs)),
  };
  return {
    snapshot,
    missingDevices: input.devicesTotal - snapshot.deviceUpdates.length,
    hasOrigin: input.origin !== undefined,
  };
}

/** As the doctor ends a task: only a run that completed has completed its task. */
function statusOf(status: TaskParts['status'], events: readonly HistoryEvent[], input: TaskInput): TaskStatus {
  if (status === 'COMPLETED') return isRejected(events) ? 'rejected' : 'completed';
  if (status === 'OTHER') return 'cancelled';
  const hasBegun = events.map(localActivityOf).some((done) => done?.name === 'beginTask' && done.failure === undefined);
  if (!hasBegun) return 'pending';
  return input.approval && approvalOf(events)?.decision !== 'approved' ? 'awaiting-approval' : 'running';
}

const isRejected = (events: readonly HistoryEvent[]): boolean =>
  events.some((event) => {
    const { result } = event.workflowExecutionCompletedEventAttributes ?? {};
    return (valueOf(result) as TaskResult | undefined)?.rejected === true;
  });

/** The decision that the run took, if it has one. */
function approvalOf(events: readonly HistoryEvent[]): Approval | null {
  const taken = events.find((event) => event.workflowExecutionUpdateAcceptedEventAttributes);
  const input = taken?.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.input?.args;
  return (valueOf(input) as Approval | undefined) ?? null;
}

/** By the run's own clock, which ticks with its workflow tasks. */
function timesOf(events: readonly HistoryEvent[], status: TaskParts['status']) {
  const ticks = events.filter((event) => event.workflowTaskStartedEventAttributes).map(atMsOf);
  const asked = events.find((event) => event.workflowExecutionCancelRequestedEventAttributes);
  const ended = events.find((event) => event.workflowExecutionSignaledEventAttributes?.signalName === 'end');
  const last = events.at(-1);
  return {
    startedAtMs: ticks[0] ?? null,
    endedAtMs: status === 'RUNNING' ? null : (ticks.at(-1) ?? (last ? atMsOf(last) : 0)),
    cancelRequestedAtMs: asked ? atMsOf(asked) : null,
    endRequestedAtMs: ended ? atMsOf(ended) : null,
  };
}

const NO_DIGEST = '0'.repeat(64);

function firmwareOf({ firmware, productKey, origin }: TaskInput, atMs: number): TaskSnapshot['firmware'] {
  const { id, name, module, version } = firmware;
  const known = origin?.firmware ?? {
    ...{ sizeBytes: 0, signMethod: 'SHA256' as const, sign: NO_DIGEST, sha256: NO_DIGEST, createdAtMs: atMs },
    verifiedAtMs: null,
  };
  return { id, name, productKey, module, version, ...known };
}

function deviceUpdatesOf(
  { devices, firstOrdinal, foreignEnds }: ParentStory,
  deviceRuns: TaskParts['deviceRuns'],
  endedAtMs: number | null,
): DeviceUpdateSnapshot[] {
  return devices.map(({ deviceName, protocol, attempt, ordinal }, i) => {
    const run = deviceRuns.get(deviceName);
    const state = run?.state ?? foreignEnds.get(deviceName) ?? neverBegun(endedAtMs);
    const shared = { ordinal: ordinal ?? firstOrdinal + i, deviceName, protocol, attempt };
    // A run that was terminated could not record its end; its parent did.
    const foreign = foreignEnds.get(deviceName);
    const ended = state.endedAtMs === null && foreign ? { ...state, ...endOf(foreign) } : state;
    return { ...shared, runId: run?.runId ?? null, state: ended };
  });
}

const endOf = ({ status, outcome, cause, detail, endedAtMs }: DeviceUpdateState) => ({
  ...{ status, outcome, cause, detail, endedAtMs },
});

/** Its turn had not come: it waits for that, or has ended with its task. */
const neverBegun = (endedAtMs: number | null): DeviceUpdateState =>
  endedAtMs === null
    ? initialState(null)
    : cancelled(initialState(null), endedAtMs, 'The task ended before its turn came.');
