import { describe, expect, it } from 'vitest';
import { replayHistory } from '../../../worker/replay/replay-history.js';
import { loadHistories } from '../../replay/histories.js';

const saved = new Map((await loadHistories()).map(({ name, history }) => [name, history]));
const replayed = async (name: string) => {
  const history = saved.get(name);
  if (!history) throw new Error(`There is no history ${name}`);
  return { history, ...(await replayHistory(history, 'workflow-id')) };
};

describe('the replay of a device update', () => {
  it('tells each state that the run had, and the event after which it had it', async () => {
    const { deviceUpdate, mismatch, history } = await replayed('1/deviceUpdate-succeeds.json');
    expect(mismatch).toBeNull();
    const statuses = deviceUpdate.map(({ state }) => state.status);
    expect(statuses.filter((status, i) => status !== statuses[i - 1])).toEqual(['notified', 'upgrading', 'completed']);
    const ids = deviceUpdate.map(({ eventId }) => eventId);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    expect(ids.at(-1)).toBeLessThanOrEqual(history.events?.length ?? 0);
  });

  it('ends with the cause of a failure', async () => {
    const { deviceUpdate } = await replayed('1/deviceUpdate-fails.json');
    expect(deviceUpdate.at(-1)?.state).toMatchObject({ outcome: 'failed', cause: 'verification-failed' });
  });
});

describe('the replay of a batch', () => {
  it('tells how many device updates have ended', async () => {
    const { outcomes } = await replayed('1/batchUpdate-completed.json');
    expect(outcomes.at(-1)?.state).toEqual({ succeeded: 4, failed: 1, cancelled: 0 });
  });
});
