import type { TaskAnswer, TimelineAnswer } from '../../../api/schemas.js';

interface Pace {
  /** Devices that end in a minute; null as long as too few have ended. */
  readonly perMinute: number | null;
  /** How long the devices that are online will take, at least and at most; null when nothing sure can be said. */
  readonly leftMs: { readonly from: number; readonly to: number } | null;
}

interface PaceInput {
  readonly task: Pick<TaskAnswer, 'status' | 'startedAt' | 'approval'>;
  /** Of the latest minutes. */
  readonly timeline: Pick<TimelineAnswer, 'from' | 'spanMs' | 'points' | 'online'>;
}

const MINUTE_MS = 60_000;
const ENDED_MIN = 5;
/** Fewer devices end by their own times, such as the wait for an answer, not by the pace of many. */
const ONLINE_MIN = 10;
const WINDOW_MIN_MS = 30_000;
/** "5 to 25 minutes" helps nobody. */
const BAND_MAX = 4;
const NOTHING: Pace = { perMinute: null, leftMs: null };

/** Since when the task really runs: one that waited for approval has begun before it. */
export const runningSinceMs = ({ startedAt, approval }: Pick<TaskAnswer, 'startedAt' | 'approval'>): number | null =>
  startedAt === null ? null : Math.max(Date.parse(startedAt), approval === null ? 0 : Date.parse(approval.at));

/**
 * How fast devices end, and how long those that are online will take, pending ones included. The times are the server's;
 * the last span is not over yet, and is left out.
 */
export function paceOf({ task, timeline: { from, spanMs, points, online } }: PaceInput): Pace {
  const sinceMs = runningSinceMs(task);
  if (task.status !== 'running' || sinceMs === null) return NOTHING;
  const firstMs = Math.max(Date.parse(from), sinceMs);
  const untilMs = Date.parse(from) + (points.length - 1) * spanMs;
  const ended = points
    .slice(0, -1)
    .map((point) => ({ atMs: Date.parse(point.at), count: point.succeeded + point.failed }));
  const between = (fromMs: number, toMs: number) =>
    ended.reduce((sum, { atMs, count }) => (atMs + spanMs > fromMs && atMs < toMs ? sum + count : sum), 0);
  const windowMs = untilMs - firstMs;
  const count = between(firstMs, untilMs);
  if (count < ENDED_MIN || windowMs < spanMs) return NOTHING;
  const rate = count / windowMs;
  const perMinute = rate * MINUTE_MS;
  if (windowMs < WINDOW_MIN_MS || online < ONLINE_MIN) return { perMinute, leftMs: null };

  // The band: what chance does to a count of that size, and how the pace has changed within the window.
  const middleMs = Date.parse(from) + Math.round((firstMs + windowMs / 2 - Date.parse(from)) / spanMs) * spanMs;
  const halves = [between(firstMs, middleMs) / (middleMs - firstMs), between(middleMs, untilMs) / (untilMs - middleMs)];
  const chance = 2 / Math.sqrt(count);
  const slow = Math.min(rate * (1 - chance), ...halves);
  const fast = Math.max(rate * (1 + chance), ...halves);
  const [least, most] = [online / fast, online / slow];
  const isSure = slow > 0 && most / least <= BAND_MAX && most >= MINUTE_MS;
  return { perMinute, leftMs: isSure ? { from: least, to: most } : null };
}
