import type { TaskAnswer } from '../../api/schemas.js';

type Counts = TaskAnswer['counts'];

/** How a task came out, or is about to: the colour of its status, and the number that explains it. */
export interface Outcome {
  readonly look: 'succeeded' | 'waiting' | 'failed' | 'quiet';
  /** Null when the status says it all. */
  readonly remark: {
    readonly what: 'failed' | 'succeeded' | 'cancelled';
    readonly count: number;
    readonly total: number;
  } | null;
}

/** Of a task that has ended; green is only what has succeeded altogether. */
export function outcomeOf({ status, counts }: Pick<TaskAnswer, 'status' | 'counts'>): Outcome {
  const { succeeded, failed, cancelled, total } = counts;
  const remark = (what: 'failed' | 'succeeded' | 'cancelled') => ({ what, count: counts[what], total });
  if (status !== 'completed') {
    if (failed > 0) return { look: 'quiet', remark: remark('failed') };
    return { look: 'quiet', remark: succeeded > 0 ? remark('succeeded') : null };
  }
  if (succeeded === total) return { look: 'succeeded', remark: null };
  if (succeeded > 0) return { look: 'waiting', remark: remark('succeeded') };
  if (failed > 0) return { look: 'failed', remark: remark('failed') };
  return { look: 'quiet', remark: cancelled > 0 ? remark('cancelled') : null };
}

/** Fewer failures than these may be chance. */
const FAILED_MIN = 3;
const SHARE_MIN = 0.1;

/** The share of failures among the devices that have ended, when it is so large that somebody should look; else null. */
export function noticeableFailures({ succeeded, failed }: Pick<Counts, 'succeeded' | 'failed'>): number | null {
  const share = failed / Math.max(1, succeeded + failed);
  return failed >= FAILED_MIN && share >= SHARE_MIN ? share : null;
}
