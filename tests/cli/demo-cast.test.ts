import { expect, it } from 'vitest';
import type { TaskAnswer } from '../../api/schemas.js';
import { FailureCause } from '../../domain/causes.js';
import { BATCH, BUSY, CAST, LATECOMERS, REPAIRED, TRIED, UNREPAIRED } from '../../cli/demo/cast.js';
import { differences } from '../../cli/demo/expectation.js';
import { BEHAVIOURS } from '../../cli/simulator/behaviour.js';

it('the cast of the demo has thirty devices, every behaviour, and every cause that an MQTT device can show', () => {
  expect(CAST).toHaveLength(30);
  expect(new Set(CAST.map(({ behaviour }) => behaviour))).toEqual(new Set(BEHAVIOURS));
  const causes = Object.values(FailureCause).filter(
    (cause) => !['unreachable-transient', 'update-failed', 'fell-back'].includes(cause),
  );
  expect(new Set(BATCH.map(({ ends }) => ends))).toEqual(new Set([...causes, 'succeeded']));
  expect([TRIED.length, BATCH.length, LATECOMERS.length, BUSY.length]).toEqual([3, 28, 2, 1]);
  expect(REPAIRED).toHaveLength(7);
  expect(REPAIRED).not.toContain(UNREPAIRED[0]);
});

it('every count that is not as expected is named', () => {
  const counts = { pending: 0, notified: 0, upgrading: 0, succeeded: 2, failed: 1, cancelled: 0, total: 4 };
  const task = { counts } as TaskAnswer;
  expect(differences({ what: 'batch', task, counts: { succeeded: 3, failed: 1, total: 4 } })).toEqual([
    'batch: succeeded is 2, expected 3',
    'batch: the states add up to 3, the total is 4',
  ]);
});
