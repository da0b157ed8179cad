import { describe, expect, it } from 'vitest';
import { isAuthentic, parseSignIn, type Credentials } from '../../broker/sign-in.js';
import { FLAVOURS, USERNAME } from './flavours.js';
import { SECRET } from './ground.js';

const parsed = (flavour: string, change: Partial<Credentials> = {}) => {
  const credentials = FLAVOURS[flavour];
  return credentials && parseSignIn({ username: USERNAME, ...credentials, ...change });
};

describe('sign-in', () => {
  it.each(Object.keys(FLAVOURS))('accepts what %s sends', (flavour) => {
    const signIn = parsed(flavour);
    expect(signIn?.device).toEqual({ productKey: 'a1X2bEnP82z', deviceName: 'light-01' });
    expect(signIn && isAuthentic(signIn, SECRET)).toBe(true);
  });

  it.each(Object.keys(FLAVOURS))('refuses what %s sends with another secret, or for an unknown device', (flavour) => {
    const signIn = parsed(flavour);
    expect(signIn && isAuthentic(signIn, `${SECRET}x`)).toBe(false);
    expect(signIn && isAuthentic(signIn, undefined)).toBe(false);
  });

  it('takes hex digits in either case', () => {
    const lower = parsed('C SDK 3', { password: FLAVOURS['C SDK 3']?.password?.toLowerCase() });
    expect(lower && isAuthentic(lower, SECRET)).toBe(true);
  });

  it('notices who expects the server to subscribe', () => {
    const systemSubscribed = Object.keys(FLAVOURS).filter((flavour) => parsed(flavour)?.systemSubscribes);
    expect(systemSubscribed).toEqual(['C SDK 4', 'Python', 'Python without timestamp, SHA-256', 'Rust']);
  });

  it('refuses a signature that belongs to another device, base or timestamp', () => {
    const changes = [
      { username: 'light-02&a1X2bEnP82z' },
      { clientId: FLAVOURS['C SDK 3']?.clientId.replace('.light-01|', '.light-1|') ?? '' },
      { clientId: FLAVOURS['C SDK 3']?.clientId.replace('2524608000000', '2524608000001') ?? '' },
      { password: FLAVOURS['C SDK 3']?.password?.slice(0, 63) },
      { password: '' },
    ];
    for (const change of changes) {
      const signIn = parsed('C SDK 3', change);
      expect(signIn && isAuthentic(signIn, SECRET)).toBe(false);
    }
  });

  it.each([
    { username: undefined },
    { username: '' },
    { username: 'light-01' },
    { username: 'light-01&a1X2bEnP82z&more' },
    { username: 'light/01&a1X2bEnP82z' },
    { username: '+&a1X2bEnP82z' },
    { username: 'light-01&#' },
    { password: undefined },
    { clientId: 'x|signmethod=hmacsha512|' },
    { clientId: 'x|signmethod=__proto__|' },
  ])('does not read %o as a sign-in', (change) => {
    expect(parsed('C SDK 3', change)).toBeUndefined();
  });
});
