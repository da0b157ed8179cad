import { proxySinks, workflowInfo, type Sinks } from '@temporalio/workflow';
import type { DeviceUpdateView } from './messages.js';
import type { OutcomeCounts } from './task-input.js';

/** What a replay hears of a run: after each step its state. Sinks leave no event in a history. */
export interface StorySinks extends Sinks {
  readonly story: {
    deviceUpdate(view: DeviceUpdateView): void;
    outcomes(counts: OutcomeCounts): void;
  };
}

const { story } = proxySinks<StorySinks>();

/** Only a replay listens: a worker at work is not charged for it. */
export function tellStory<Kind extends keyof StorySinks['story']>(
  kind: Kind,
  ...args: Parameters<StorySinks['story'][Kind]>
): void {
  if (workflowInfo().unsafe.isReplaying) (story[kind] as (...args: unknown[]) => void)(...args);
}
