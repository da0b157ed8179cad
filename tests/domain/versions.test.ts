import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareVersions } from '../../domain/versions.js';

describe('the order of versions', () => {
  it.each([
    ['1.0.0', '1.0.1'],
    ['1.9.0', '1.10.0'],
    ['1.0.0-rc1', '1.0.0'],
    ['1.0.0-rc1', '1.0.0-rc2'],
    ['1.0.0-rc', '1.0.0-rc.1'],
    ['v1.2', '1.3'],
    ['1.2', '1.2.1'],
    ['app-1', 'app-2'],
    ['20240101', '20241231'],
    ['1.0', '1.0b'],
    ['9', '99999999999999999999'],
  ])('%s is older than %s', (older, newer) => {
    expect(compareVersions(older, newer)).toBeLessThan(0);
    expect(compareVersions(newer, older)).toBeGreaterThan(0);
  });

  it.each([
    ['1.0', '1.0.0'],
    ['v2', '2'],
    ['1.0.0+build5', '1.0.0+build9'],
  ])('%s and %s are equal in order', (a, b) => {
    expect(compareVersions(a, b)).toBe(0);
  });

  it('is antisymmetric for any text', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a))).toBe(0);
      }),
    );
  });
});
