import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  countCharacters,
  deviceNameProblem,
  firmwareNameProblem,
  moduleProblem,
  productKeyProblem,
  versionProblem,
} from '../../domain/names.js';

describe('a firmware name [seed: add]', () => {
  it.each(['a', 'Lamp_2', '固件', '固件_v2', '𠮷野家', '_', '々', 'x'.repeat(32), '固'.repeat(32), '𠮷'.repeat(32)])(
    'may be %s',
    (name) => {
      expect(firmwareNameProblem(name, 32)).toBeUndefined();
    },
  );

  it.each([
    ['', '1 to 32'],
    ['x'.repeat(33), 'it has 33'],
    ['𠮷'.repeat(33), 'it has 33'],
    ['a b', 'only'],
    ['a-b', 'only'],
    ['a.b', 'only'],
    ['ä', 'only'],
    ['かな', 'only'],
    ['１', 'only'],
    ['a\n', 'only'],
    ['a\u200b', 'only'],
    ['😀', 'only'],
  ])('must not be %j', (name, problem) => {
    expect(firmwareNameProblem(name, 32)).toContain(problem);
  });

  it('is counted in characters, not in UTF-16 units', () => {
    expect(countCharacters('𠮷a')).toBe(2);
  });

  it('is accepted just when it has 1 to 32 allowed characters', () => {
    const allowed = fc.constantFrom('a', 'Z', '0', '9', '_', '固', '件', '𠮷');
    fc.assert(
      fc.property(fc.array(allowed, { maxLength: 40 }), (characters) => {
        const fits = characters.length >= 1 && characters.length <= 32;
        expect(firmwareNameProblem(characters.join(''), 32) === undefined).toBe(fits);
      }),
    );
  });
});

describe('names that go into topics', () => {
  it.each(['+', '#', '/', '$', '&', '\u0000', ' ', '固'])('never contain %j', (character) => {
    for (const problem of [deviceNameProblem, productKeyProblem, moduleProblem]) {
      expect(problem(`a${character}b`)).toBeDefined();
    }
  });
});

describe('a version', () => {
  it.each(['1.0.0', 'V1.0 (build 3)', '2024-01-01', '固件1', '1', 'x'.repeat(64)])('may be %j', (version) => {
    expect(versionProblem(version)).toBeUndefined();
  });
  it.each(['', ' 1', '1 ', 'a"b', 'a\\b', 'a\nb', 'x'.repeat(65), 'a\u202eb', '1.0\uFFFD'])(
    'must not be %j',
    (version) => {
      expect(versionProblem(version)).toBeDefined();
    },
  );
});
