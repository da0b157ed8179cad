import { describe, expect, it } from 'vitest';
import { isReservedName, sameName } from '../../domain/principal-names.js';

describe('A name', () => {
  it.each([
    'admin',
    'Admin',
    'ADMIN',
    ' admin ',
    'аdmin',
    'аԁміп',
    'ａｄｍｉｎ',
    'ádmin',
    'adm1n',
    'a.d.m.i.n',
    'unknown',
    'Unkn0wn',
    'System',
  ])('%j is reserved: it would be taken for another', (name) => {
    expect(isReservedName(name)).toBe(true);
  });

  it.each(['Ada', 'admin-2', 'administrator of lamps', 'ci', '王伟', 'Zoë', 'unknown device tester'])(
    '%j is free',
    (name) => {
      expect(isReservedName(name)).toBe(false);
    },
  );

  it('is the same in other letters that look alike', () => {
    const names = ['Ada Lovelace', 'ada lovelace', 'Аdа  Lоvelасe', 'Ａｄａ Ｌｏｖｅｌａｃｅ'];
    expect(new Set(names.map(sameName)).size).toBe(1);
    expect(sameName('Ada')).not.toBe(sameName('Bob'));
  });
});
