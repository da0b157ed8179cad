import { describe, expect, it } from 'vitest';
import { Turns } from '../../domain/turns.js';

describe('turns', () => {
  it('let a crowd through in the order of asking, never more at once than may be', async () => {
    const turns = new Turns(2);
    const order: number[] = [];
    let [running, most] = [0, 0];
    const works = Array.from({ length: 3_000 }, (_, n) =>
      turns.run(async () => {
        most = Math.max(most, ++running);
        await Promise.resolve();
        order.push(n);
        running--;
      }),
    );
    await Promise.all(works);
    expect(order).toEqual(works.map((_, n) => n));
    expect(most).toBe(2);
  });

  it('pass on the place of a work that fails', async () => {
    const turns = new Turns(1);
    const [failed, next] = [turns.run(() => Promise.reject(new Error('broken'))), turns.run(async () => 'done')];
    await expect(failed).rejects.toThrow('broken');
    expect(await next).toBe('done');
  });
});
