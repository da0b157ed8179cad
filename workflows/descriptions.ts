import { isOpen, type DeviceUpdateState, type WaitingFor } from '../domain/device-update.js';
import type { OutcomeCounts } from './task-input.js';

/** A device update as a person reads it in the Temporal UI: the same words as in API and CLI. */
export function describeDeviceUpdate(state: DeviceUpdateState, wait: WaitingFor | undefined): string {
  const step = state.step === null ? '' : `, step ${state.step}`;
  if (!isOpen(state.status) || wait === undefined) {
    return `**${state.outcome ?? state.status}**${step}. ${state.detail ?? ''}`.trim();
  }
  return `**${state.status}**${step}: ${wait.text}.`;
}

/** A task's or shard's runs so far. */
export function describeOutcomes(counts: OutcomeCounts, total: number): string {
  const ended = counts.succeeded + counts.failed + counts.cancelled;
  return `${ended} of ${total} ended: ${counts.succeeded} succeeded, ${counts.failed} failed, ${counts.cancelled} cancelled.`;
}
