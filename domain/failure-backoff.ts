import { RecentMap } from './recent-map.js';

/** How failures hold back who fails. */
export interface BackoffRule {
  /** That many are free. */
  readonly freeFailures: number;
  /** Wait after the next one; doubled at each further one. */
  readonly firstMs: number;
  readonly maxMs: number;
  /** Without a further failure, it is forgotten. */
  readonly forgetMs: number;
}

/** Subjects remembered; the one whose last failure is the longest ago is forgotten first. */
const SUBJECTS_MAX = 20_000;

interface Failures {
  readonly count: number;
  readonly lastMs: number;
}

/** Counts failures per subject, and says how long each must wait. Its memory is bounded; times are the caller's. */
export class FailureBackoff {
  private readonly failures = new RecentMap<string, Failures>(SUBJECTS_MAX);

  constructor(private readonly rule: BackoffRule) {}

  /** Milliseconds until the subject is listened to again; 0: now. */
  waitMs(subject: string, nowMs: number): number {
    const known = this.failures.get(subject);
    if (!known || nowMs - known.lastMs >= this.rule.forgetMs) return 0;
    const beyond = known.count - this.rule.freeFailures;
    if (beyond <= 0) return 0;
    const wait = Math.min(this.rule.firstMs * 2 ** Math.min(beyond - 1, 30), this.rule.maxMs);
    return Math.max(0, known.lastMs + wait - nowMs);
  }

  failed(subject: string, nowMs: number): void {
    const known = this.failures.get(subject);
    const isForgotten = !known || nowMs - known.lastMs >= this.rule.forgetMs;
    this.failures.set(subject, { count: isForgotten ? 1 : known.count + 1, lastMs: nowMs });
  }

  succeeded(subject: string): void {
    this.failures.delete(subject);
  }
}
