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
  private readonly failures = new Map<string, Failures>();

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
    this.failures.delete(subject); // so that the order is that of the last failures
    this.failures.set(subject, { count: isForgotten ? 1 : known.count + 1, lastMs: nowMs });
    for (const oldest of this.failures.keys()) {
      if (this.failures.size <= SUBJECTS_MAX) break;
      this.failures.delete(oldest);
    }
  }

  succeeded(subject: string): void {
    this.failures.delete(subject);
  }
}
