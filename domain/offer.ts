import { isOpen, type DeviceUpdateStatus, type WithheldBy } from './device-update.js';
import type { FailureCause } from './causes.js';
import { misfit, type Fitting } from './fitness.js';
import { isStopped, taskGate, type GateFacts } from './task-gate.js';

/** A failure as a device reports it. */
export interface ReportedFailure {
  readonly cause: FailureCause;
  /** What the device added; empty if nothing. */
  readonly description: string;
  readonly atMs: number;
}

/** What decides whether a device may have its update now. */
export interface OfferFacts extends Omit<Fitting, 'targetVersion'> {
  readonly task: GateFacts;
  readonly record: { readonly status: DeviceUpdateStatus; readonly cancelRequestedAtMs: number | null };
  readonly firmware: { readonly version: string };
  readonly isDeviceRevoked: boolean;
  /** The version that the device last reported for the firmware's module; null when it has reported none. */
  readonly installedVersion: string | null;
  readonly reportedFailure: ReportedFailure | null;
}

/** Whether a device may have its update now; everything but `given` means that nothing may be sent. */
export type Offer =
  | { readonly kind: 'given' }
  /** The update is over, or it and its task are being stopped: it is never sent again. */
  | { readonly kind: 'cancelled' }
  /** The device may not sign in. */
  | { readonly kind: 'revoked' }
  /** The device has reported a failure; its run ends the update. */
  | { readonly kind: 'failed'; readonly failure: ReportedFailure }
  /** The device runs the target version already. */
  | { readonly kind: 'on-target' }
  /** The update does not fit what the device runs now. */
  | { readonly kind: 'unfit'; readonly reason: string }
  /** The task sends nothing at present; it may later. */
  | { readonly kind: 'held'; readonly by: WithheldBy };

/**
 * May this device have its update now? The one rule for every way out: the notification, the answer to a query, and
 * the download of the file.
 */
export function offerOf(facts: OfferFacts): Offer {
  const { task, record, firmware, isDeviceRevoked, installedVersion, reportedFailure } = facts;
  if (isStopped(task) || record.cancelRequestedAtMs !== null || !isOpen(record.status)) return { kind: 'cancelled' };
  if (isDeviceRevoked) return { kind: 'revoked' };
  if (reportedFailure) return { kind: 'failed', failure: reportedFailure };
  if (installedVersion === firmware.version) return { kind: 'on-target' };
  // A device in mid-update may run anything for a moment; before that, the firmware must fit what it runs.
  const reason =
    record.status === 'upgrading'
      ? undefined
      : misfit({ ...facts, targetVersion: firmware.version }, installedVersion ?? undefined);
  if (reason !== undefined) return { kind: 'unfit', reason };
  const gate = taskGate(task);
  if (gate === 'awaiting-approval') return { kind: 'held', by: gate };
  if (gate !== 'paused') return { kind: 'given' };
  return { kind: 'held', by: task.pausedCause === 'firmware-file-damaged' ? 'file-damaged' : 'paused' };
}
