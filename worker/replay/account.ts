import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import type { DeviceUpdateView } from '../../workflows/messages.js';
import type { OutcomeCounts } from '../../workflows/task-input.js';
import { atMsOf, type HistoryEvent } from './decode.js';
import { replayHistory, type History, type Replayed, type ReplayedStep } from './replay-history.js';
import { runTypeOf, sentenceOf } from './sentences.js';

export { historyFromJSON };
export type { History };

/** The state of a run: of a device update its facts, of a task or a shard how many device updates have ended. */
export type RunState = DeviceUpdateView | OutcomeCounts;

export interface AccountEvent {
  readonly id: number;
  /** Epoch milliseconds, by the engine's clock. */
  readonly atMs: number;
  /** As Temporal names it: `TimerFired`. */
  readonly type: string;
  /** Null for the engine's own bookkeeping. */
  readonly sentence: string | null;
  /** After this event and those that the run was given together with it; null before the first. */
  readonly state: RunState | null;
}

/** What became of a run, event by event, told by its history and by replaying that with today's workflows. */
export interface Account {
  readonly workflowId: string;
  readonly runId: string;
  readonly type: string;
  readonly events: readonly AccountEvent[];
  /** The state at the end of the history. */
  readonly state: RunState | null;
  readonly replay: { readonly matches: boolean; readonly mismatch: string | null };
}

/** Replays a run's history and tells it. @param workflowId of the run; histories don't hold their own */
export async function accountOf(history: History, workflowId: string): Promise<Account> {
  const events = history.events ?? [];
  const replayed = await replayHistory(history, workflowId);
  const states = statesByEvent(events, replayed);
  const type = runTypeOf(events);
  const byId = new Map(events.map((event) => [Number(event.eventId), event]));
  const started = events[0]?.workflowExecutionStartedEventAttributes;
  return {
    workflowId,
    runId: started?.originalExecutionRunId ?? '',
    type,
    events: events.map((event) => ({
      id: Number(event.eventId),
      atMs: atMsOf(event),
      type: typeName(event),
      sentence: sentenceOf(event, type, { byId }),
      state: states.get(Number(event.eventId)) ?? null,
    })),
    state: replayed.deviceUpdate.at(-1)?.state ?? replayed.outcomes.at(-1)?.state ?? null,
    replay: { matches: replayed.mismatch === null, mismatch: replayed.mismatch?.message ?? null },
  };
}

/** By the attributes that it has: `timerFiredEventAttributes` makes `TimerFired`. */
function typeName(event: HistoryEvent): string {
  const has =
    Object.entries(event).find(
      ([key, value]) => key.endsWith('EventAttributes') && value !== null && value !== undefined,
    )?.[0] ?? '';
  return has.charAt(0).toUpperCase() + has.slice(1).replace('EventAttributes', '');
}

/**
 * The engine gives a run what has happened in workflow tasks: all events since the last one at once. The events of one
 * task, and those that the run makes in answer, share the state in which the task leaves the run.
 */
function statesByEvent(events: readonly HistoryEvent[], replayed: Replayed): ReadonlyMap<number, RunState> {
  const steps: readonly ReplayedStep<RunState>[] =
    replayed.deviceUpdate.length > 0 ? replayed.deviceUpdate : replayed.outcomes;
  const lastStates = new Map(steps.map(({ eventId, state }) => [eventId, state]));
  const states = new Map<number, RunState>();
  let current: RunState | undefined;
  let given: number[] = [];
  for (const event of events) {
    const id = Number(event.eventId);
    if (event.workflowTaskStartedEventAttributes) {
      current = lastStates.get(id) ?? current;
      if (current) for (const earlier of given) states.set(earlier, current);
      given = [];
    }
    if (isOutside(event)) given.push(id);
    else if (current) states.set(id, current);
  }
  return states;
}

/** Comes from outside the run: it takes effect with the next workflow task. */
const isOutside = (event: HistoryEvent): boolean =>
  Boolean(
    event.workflowExecutionSignaledEventAttributes ??
    event.workflowExecutionCancelRequestedEventAttributes ??
    event.timerFiredEventAttributes ??
    event.childWorkflowExecutionStartedEventAttributes ??
    event.childWorkflowExecutionCompletedEventAttributes ??
    event.childWorkflowExecutionFailedEventAttributes ??
    event.childWorkflowExecutionCanceledEventAttributes ??
    event.childWorkflowExecutionTerminatedEventAttributes ??
    event.startChildWorkflowExecutionFailedEventAttributes,
  );
