import type { EndedCounts, TaskRecord } from '../records/records.js';
import { iso } from './answers.js';
import type { TimelineAnswer } from './schemas.js';

interface Timeline {
  readonly fromMs: number;
  readonly spanMs: number;
  readonly spans: number;
}

const SECOND_MS = 1_000;
/** Lengths of a span that read well on an axis; beyond them, whole days. */
const SPANS_MS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400].map(
  (seconds) => seconds * SECOND_MS,
);
const DAY_MS = 86_400 * SECOND_MS;

/**
 * The time of a task, from its start to its end or to now, cut into at most so many equal spans.
 *
 * @param lastMs only that much of it, the latest
 */
export function timelineOf(
  { startedAtMs, createdAtMs, endedAtMs }: Pick<TaskRecord, 'startedAtMs' | 'createdAtMs' | 'endedAtMs'>,
  { points, nowMs, lastMs = Infinity }: { readonly points: number; readonly nowMs: number; readonly lastMs?: number },
): Timeline {
  const begunMs = startedAtMs ?? createdAtMs;
  const endMs = Math.max(endedAtMs ?? nowMs, begunMs);
  const startMs = Math.max(begunMs, endMs - lastMs);
  for (let i = 0; ; i++) {
    const spanMs = SPANS_MS[i] ?? (i - SPANS_MS.length + 2) * DAY_MS;
    const fromMs = Math.floor(startMs / spanMs) * spanMs;
    const spans = Math.floor((endMs - fromMs) / spanMs) + 1;
    if (spans <= Math.max(points, 2)) return { fromMs, spanMs, spans };
  }
}

/** Every span, also those in which nothing ended. */
export function timelineAnswer(
  { fromMs, spanMs, spans }: Timeline,
  counts: readonly EndedCounts[],
  online: number,
): TimelineAnswer {
  const bySpan = new Map(counts.map(({ span, ...ended }) => [span, ended]));
  const none = { succeeded: 0, failed: 0, cancelled: 0 };
  return {
    from: iso(fromMs),
    spanMs,
    points: Array.from({ length: spans }, (_, i) => ({ at: iso(fromMs + i * spanMs), ...(bySpan.get(i) ?? none) })),
    online,
  };
}
