import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { World, type ProblemBody } from './world.js';

const DAY_MS = 24 * 3_600_000;

describe('POST /v1/records/forget', () => {
  let world: World;
  const asked: number[] = [];
  beforeEach(async () => {
    asked.length = 0;
    world = await World.open({
      forget: async (olderThanMs) => {
        asked.push(olderThanMs);
        return { endedBefore: '2026-01-01T00:00:00.000Z', tasks: 2, deviceUpdates: 9 };
      },
    });
  });
  afterEach(() => world.close());

  it('begins it, says what there is to delete, and leaves an audit entry', async () => {
    const { status, body } = await world.post('/v1/records/forget', { olderThanMs: DAY_MS });
    expect({ status, body }).toEqual({
      status: 202,
      body: { endedBefore: '2026-01-01T00:00:00.000Z', tasks: 2, deviceUpdates: 9 },
    });
    expect(asked).toEqual([DAY_MS]);
    const { items } = (await world.get<{ items: object[] }>('/v1/audit?action=records.forget')).body;
    expect(items).toMatchObject([{ outcome: 'done', after: { tasks: 2, deviceUpdates: 9 } }]);
  });

  it('refuses less than a day, and nothing at all: that would be everything', async () => {
    for (const body of [{ olderThanMs: DAY_MS - 1 }, {}]) {
      const refused = await world.post<ProblemBody>('/v1/records/forget', body);
      expect(refused).toMatchObject({ status: 400, body: { code: 'invalid-request' } });
    }
    expect(asked).toEqual([]);
  });
});
