import { describe, expect, it } from 'vitest';
import { misfit } from '../../domain/fitness.js';

const batch = {
  kind: 'batch' as const,
  sourceVersions: ['1.0.0', '1.1.0'],
  targetVersion: '2.0.0',
  policy: { allowDowngrade: false },
};
const verification = { ...batch, kind: 'verification' as const, sourceVersions: [] };

describe('a firmware', () => {
  it.each([
    [batch, '1.1.0'],
    [batch, undefined],
    [verification, '0.9.0'],
    [{ ...verification, policy: { allowDowngrade: true } }, '3.0.0'],
  ])('may go to a device (%#)', (fitting, version) => {
    expect(misfit(fitting, version)).toBeUndefined();
  });

  it.each([
    [batch, '1.5.0', 'none of the task'],
    [verification, '3.0.0', 'newer than 2.0.0'],
    [{ ...batch, sourceVersions: ['3.0.0'] }, '3.0.0', 'newer than 2.0.0'],
  ])('must not go to a device that it does not fit (%#)', (fitting, version, reason) => {
    expect(misfit(fitting, version)).toContain(reason);
  });
});
