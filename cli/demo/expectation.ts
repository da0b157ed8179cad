import type { TaskAnswer } from '../../api/schemas.js';
import type { Counts } from '../task-view.js';

/** How a task of the demo must have ended. */
export interface Expectation {
  readonly what: string;
  readonly task: TaskAnswer;
  readonly counts: Partial<Counts>;
}

const NONE: Counts = { pending: 0, notified: 0, upgrading: 0, succeeded: 0, failed: 0, cancelled: 0, total: 0 };

/** What differs, a sentence each; none when all is as expected. */
export function differences({ what, task, counts }: Expectation): string[] {
  const expected = { ...NONE, ...counts };
  const wrong = (Object.keys(expected) as (keyof Counts)[])
    .filter((member) => task.counts[member] !== expected[member])
    .map((member) => `${what}: ${member} is ${task.counts[member]}, expected ${expected[member]}`);
  const { total, ...states } = task.counts;
  const sum = Object.values(states).reduce((all, count) => all + count, 0);
  return sum === total ? wrong : [...wrong, `${what}: the states add up to ${sum}, the total is ${total}`];
}
