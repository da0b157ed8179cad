import { isOpen, type DeviceUpdateState, type WaitingFor } from '../domain/device-update.js';
import type { OutcomeCounts } from './task-input.js';

const iso = (ms: number): string => new Date(ms).toISOString();

/** A device update as a person reads it in the Temporal UI: the same words as in API and CLI. */
export function describeDeviceUpdate(state: DeviceUpdateState, wait: WaitingFor | undefined): string {
  const step = state.step === null ? '' : `, step ${state.step}`;
  if (!isOpen(state.status) || wait === undefined) {
    return `**${state.outcome ?? state.status}**${step}. ${state.detail ?? ''}`.trim();
  }
  const until = wait.untilMs === null ? '' : ` until ${iso(wait.untilMs)}`;
  return `**${state.status}**${step}. Waits for ${wait.what} since ${iso(wait.sinceMs)}${until}: ${wait.then}.`;
}

/** A task's or shard's runs so far. */
export function describeOutcomes(counts: OutcomeCounts, total: number): string {
  const ended = counts.succeeded + counts.failed + counts.cancelled;
  return `${ended} of ${total} ended: ${counts.succeeded} succeeded, ${counts.failed} failed, ${counts.cancelled} cancelled.`;
}
