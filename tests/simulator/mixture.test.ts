import { describe, expect, it } from 'vitest';
import { BEHAVIOURS } from '../../cli/simulator/behaviour.js';
import { draw, MIX, parseMixture } from '../../cli/simulator/mixture.js';
import { seededRandom } from '../../cli/simulator/random.js';
import { percentages } from '../../cli/simulator/timing.js';

const drawn = (seed: number, count: number) => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => draw(MIX, random()));
};

describe('a mixture of behaviours', () => {
  it('gives the same fleet for the same seed, and another one for another seed', () => {
    expect(drawn(7, 200)).toEqual(drawn(7, 200));
    expect(drawn(7, 200)).not.toEqual(drawn(8, 200));
  });

  it('draws every behaviour of the mix, about as often as its weight says', () => {
    const many = drawn(1, 10_000);
    expect(new Set(many)).toEqual(new Set(BEHAVIOURS));
    for (const { behaviour, weight } of MIX) {
      const share = many.filter((one) => one === behaviour).length / many.length;
      expect(share).toBeGreaterThan(weight / 100 / 1.4);
      expect(share).toBeLessThan((weight / 100) * 1.4);
    }
  });

  it('reads one name, several, and weights', () => {
    expect(parseMixture('silent')).toEqual([{ behaviour: 'silent', weight: 1 }]);
    expect(parseMixture('ok=3, drops')).toEqual([
      { behaviour: 'ok', weight: 3 },
      { behaviour: 'drops', weight: 1 },
    ]);
    expect(parseMixture('mix')).toEqual(MIX);
  });

  it.each(['okay', 'ok,', 'ok=0', 'ok=x', 'ok=-1', ''])('refuses %j by name', (text) => {
    expect(() => parseMixture(text)).toThrow(RangeError);
  });

  it('answers numbers from 0 to below 1', () => {
    const random = seededRandom(42);
    for (let i = 0; i < 1_000; i++) {
      const number = random();
      expect(number).toBeGreaterThanOrEqual(0);
      expect(number).toBeLessThan(1);
    }
  });
});

describe('percentages of an update', () => {
  it.each([
    [0, []],
    [1, [100]],
    [2, [0, 100]],
    [3, [0, 50, 100]],
    [5, [0, 25, 50, 75, 100]],
  ])('%i reports are %j', (reports, expected) => {
    expect(percentages(reports)).toEqual(expected);
  });
});
