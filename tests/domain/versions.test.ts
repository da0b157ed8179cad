import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareVersions, isNewer } from '../../domain/versions.js';

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
    ['1.0.0rc1', '1.0.0'],
    ['1.0.0.dev3', '1.0.0a1'],
    ['1.0.0-alpha', '1.0.0-beta'],
    ['1.0.0-RC1', '1.0.0-rc2'],
    ['1.0~1', '1.0'],
    ['1.0.2j', '1.0.2k'],
    ['1.2.3', '1.2.3-45'],
    ['v1.2.3', 'v1.2.3-14-g2414721'],
    ['v1.2.3-14-g2414721', 'v1.2.3-15-g9fceb02'],
    ['1.0.0', '1.0.0-hotfix1'],
    ['1.0', '1.1-SNAPSHOT'],
    ['1.1-SNAPSHOT', '1.1'],
    ['2024.3', '2024.12'],
    ['2024.12', '2024.13'],
    ['2024.01.15', '2024.02.01'],
    ['20240115', '2024.02.01'],
    ['2024-01-15', '20240116'],
    ['20240115', '20240115-2'],
    ['24.04', '24.10'],
    ['r1234', 'r1235'],
    ['V100R001C10SPC200', 'V100R001C10SPC300'],
    ['V100R001C10', 'V100R002C00'],
    ['FW_1.9', 'fw-1.10'],
    ['fw-v1.2', 'fw-v1.3'],
    ['版本1.2', '版本1.3'],
    ['A', 'B'],
    ['1:2.0', '2:1.0'],
    ['2147', '2200'],
    ['8u202-b08', '8u202-b09'],
    ['1.2.3-eu-4', '1.2.3-eu-5'],
    ['1.2.3-9f3c2d1', '1.2.4-1a2b3c4'],
    ['1.2.3.9f3c2d1', '1.2.4.1a2b3c4'],
    ['1.2.3-rc1-g9f3c2d1', '1.2.3-rc2-g1a2b3c4'],
    ['20240115-9f3c2d1', '20240116-1a2b3c4'],
    ['1.2.3-20241201', '1.2.3-20241202'],
    ['1.2.3-20241201b1', '1.2.3-20241202a1'],
    ['1.2.3-beta1', '1.2.3-rc2'],
    ['2024.02', '2024-12'],
    ['2024.2', '2024-12'],
    ['2024-12', '2024-13'],
  ])('%s is older than %s', (older, newer) => {
    expect(compareVersions(older, newer)).toBeLessThan(0);
    expect(compareVersions(newer, older)).toBeGreaterThan(0);
  });

  it.each([
    ['1.0', '1.0.0'],
    ['v2', '2'],
    ['1.0.0+build5', '1.0.0+build9'],
    ['1.0.0-final', '1.0.0'],
    ['01.02', '1.2'],
    ['V2.0', 'v2'],
    ['version 1.2', '1.2'],
    ['2024-12', '2024.12'],
    ['2024-02', '2024.2'],
    ['1.2.3-g9f3c2d1', '1.2.3 (9F3C2D1)'],
    ['1.2.3+9f3c2d1', '1.2.3+1a2b3c4'],
  ])('%s and %s are equal in order', (a, b) => {
    expect(compareVersions(a, b)).toBe(0);
  });

  it.each([
    ['20240115', '1.2.3'],
    ['2024.03', '1.2.3'],
    ['147233', '1.2.3'],
    ['fw-1.2', 'boot-1.3'],
    ['fw-1.2', '1.3'],
    ['9fceb02', '2414721a'],
    ['9fceb02', '1.2.3'],
    ['stable', 'nightly'],
    ['1.0-constructor', '1.0'],
    ['1.2.3-eu', '1.2.3-us'],
    ['1.2.3-eu', '1.2.3'],
    ['V100R001C10', 'V100R001T10'],
    ['1.0-5', '1.0-p5'],
    ['A', '1.0'],
    ['', '1.0'],
    ['1.2.3-9f3c2d1', '1.2.3-1a2b3c4'],
    ['1.2.3-g9f3c2d1', '1.2.3-g1a2b3c4'],
    ['1.2.3-g9312345', '1.2.3-g1312345'],
    ['1.2.3.9f3c2d1', '1.2.3.1a2b3c4'],
    ['1.2.3_9f3c2d1', '1.2.3_1a2b3c4'],
    ['1.2.3 (9f3c2d1)', '1.2.3 (1a2b3c4)'],
    ['1.2.3(9f3c2d1)', '1.2.3(1a2b3c4)'],
    ['1.2.3-9f3c2d1-dirty', '1.2.3-1a2b3c4-dirty'],
    ['1.2.3-14-g9f3c2d1', '1.2.3-14-g1a2b3c4'],
    ['1.2.3-9f3c2d1', '1.2.3'],
    ['fw-9f3c2d1', 'fw-1a2b3c4'],
    ['g9f3c2d1', 'g1a2b3c4'],
  ])('%s and %s have no order, since their schemes are unlike', (a, b) => {
    expect(compareVersions(a, b)).toBeUndefined();
    expect(compareVersions(b, a)).toBeUndefined();
    expect([isNewer(a, b), isNewer(b, a)]).toEqual([false, false]);
  });

  /** Versions as fleets label them, and rubbish. */
  const anyVersion = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc
      .array(
        fc.constantFrom(
          '1',
          '02',
          '2024',
          '20240115',
          '.',
          '-',
          '~',
          '+',
          'v',
          'rc',
          'b',
          'eu',
          'g1a',
          '9f3c2d1',
          'g1a2b3c4',
          ' ',
        ),
      )
      .map((parts) => parts.join('')),
  );

  it('is antisymmetric for any text, and every text equals itself', () => {
    fc.assert(
      fc.property(anyVersion, anyVersion, (a, b) => {
        const [order, back] = [compareVersions(a, b), compareVersions(b, a)];
        expect(order === undefined).toBe(back === undefined);
        expect(Math.sign(order ?? 0) + Math.sign(back ?? 0)).toBe(0);
        expect(compareVersions(a, a)).toBe(0);
      }),
    );
  });

  it('never goes in a circle', () => {
    fc.assert(
      fc.property(anyVersion, anyVersion, anyVersion, (a, b, c) => {
        expect(isNewer(a, b) && isNewer(b, c) && isNewer(c, a)).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });
});
