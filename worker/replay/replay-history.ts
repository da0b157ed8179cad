import type { temporal } from '@temporalio/proto';
import { Worker, type InjectedSinks } from '@temporalio/worker';
import type { DeviceUpdateView } from '../../workflows/messages.js';
import type { StorySinks } from '../../workflows/story.js';
import type { OutcomeCounts } from '../../workflows/task-input.js';
import { workflowCode } from '../workflow-bundle.js';

export type History = temporal.api.history.v1.IHistory;

/** The state of a run at one point of its replay. */
export interface ReplayedStep<State> {
  /** Events that the run had seen then: the state follows from the events up to this number. */
  readonly eventId: number;
  readonly state: State;
}

/** What a replay of a history against today's workflows brought to light. */
export interface Replayed {
  /** Of a `deviceUpdate`: its states, in order. */
  readonly deviceUpdate: readonly ReplayedStep<DeviceUpdateView>[];
  /** Of the other workflow types: the device updates that have ended so far. */
  readonly outcomes: readonly ReplayedStep<OutcomeCounts>[];
  /** Why today's code does not fit the history; null when it does. */
  readonly mismatch: Error | null;
}

/** Replays a run's history against today's workflows and listens to its states; nothing is changed anywhere. */
export async function replayHistory(history: History, workflowId: string): Promise<Replayed> {
  const deviceUpdate: ReplayedStep<DeviceUpdateView>[] = [];
  const outcomes: ReplayedStep<OutcomeCounts>[] = [];
  const sinks: InjectedSinks<StorySinks> = {
    story: {
      deviceUpdate: {
        fn: ({ historyLength: eventId }, state) => void deviceUpdate.push({ eventId, state }),
        callDuringReplay: true,
      },
      outcomes: {
        fn: ({ historyLength: eventId }, state) => void outcomes.push({ eventId, state }),
        callDuringReplay: true,
      },
    },
  };
  try {
    await Worker.runReplayHistory({ ...workflowCode(), sinks }, history, workflowId);
    return { deviceUpdate, outcomes, mismatch: null };
  } catch (error) {
    return { deviceUpdate, outcomes, mismatch: error instanceof Error ? error : new Error(String(error)) };
  }
}

/** A run as the engine lists it, with its history. */
export interface ListedHistory {
  readonly workflowId: string;
  readonly history: History;
}

/** The last state of a device update's run, by its replay. */
export interface FinalState {
  readonly runId: string;
  readonly state: DeviceUpdateView | null;
  readonly mismatch: string | null;
}

/** Replays the histories of many device updates in one worker, in order; only their last states are kept. */
export async function* finalStates(histories: AsyncIterable<ListedHistory>): AsyncGenerator<FinalState> {
  const last = new Map<string, DeviceUpdateView>();
  const sinks: InjectedSinks<StorySinks> = {
    story: {
      deviceUpdate: { fn: ({ runId }, state) => void last.set(runId, state), callDuringReplay: true },
      outcomes: { fn: () => undefined, callDuringReplay: false },
    },
  };
  for await (const { runId, error } of Worker.runReplayHistories({ ...workflowCode(), sinks }, histories)) {
    yield { runId, state: last.get(runId) ?? null, mismatch: error?.message ?? null };
    last.delete(runId);
  }
}
