import { defaultPayloadConverter } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';

type Payload = temporal.api.common.v1.IPayload;
type Payloads = temporal.api.common.v1.IPayloads;
export type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

/** The first value of an event's payloads; undefined if there is none that can be read. */
export function valueOf(payloads: Payloads | null | undefined): unknown {
  const payload = payloads?.payloads?.[0];
  return payload ? decoded(payload) : undefined;
}

export function textOf(payload: Payload | null | undefined): string | undefined {
  const value = payload ? decoded(payload) : undefined;
  return typeof value === 'string' ? value : undefined;
}

function decoded(payload: Payload): unknown {
  try {
    return defaultPayloadConverter.fromPayload(payload);
  } catch {
    return undefined; // encrypted or of another converter: the sentence does without
  }
}

/** Epoch milliseconds. */
export function atMsOf({ eventTime }: HistoryEvent): number {
  return Number(eventTime?.seconds ?? 0) * 1_000 + Math.floor((eventTime?.nanos ?? 0) / 1_000_000);
}

/** A local activity as its marker tells it: its name, and what it answered. */
export interface LocalActivity {
  readonly name: string;
  readonly answer: unknown;
  readonly failure: string | undefined;
  readonly attempt: number;
}

/** What a workflow asks `patched` for, where this run goes the newer way. */
export function patchOf(event: HistoryEvent): string | undefined {
  const marker = event.markerRecordedEventAttributes;
  if (marker?.markerName !== 'core_patch') return undefined;
  return (valueOf(marker.details?.['patch-data']) as { id?: string } | undefined)?.id ?? 'unknown';
}

export function localActivityOf(event: HistoryEvent): LocalActivity | undefined {
  const marker = event.markerRecordedEventAttributes;
  if (marker?.markerName !== 'core_local_activity') return undefined;
  const data = valueOf(marker.details?.data) as { activity_type?: string; attempt?: number } | undefined;
  return {
    name: data?.activity_type ?? 'unknown',
    answer: valueOf(marker.details?.result),
    failure: marker.failure?.message ?? undefined,
    attempt: data?.attempt ?? 1,
  };
}
