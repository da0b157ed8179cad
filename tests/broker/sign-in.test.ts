import { describe, expect, it } from 'vitest';
import { isAuthentic, parseSignIn, type Credentials } from '../../broker/sign-in.js';

const SECRET = 'jrS9tmbcmFyP6XXp0wbEYnAmAFJ7KB3t';
const USERNAME = 'light-01&a1X2bEnP82z';

/** What each SDK sends; the signatures were made by another implementation of HMAC. */
const FLAVOURS: Record<string, Omit<Credentials, 'username'>> = {
  'C SDK 3': {
    clientId:
      'a1X2bEnP82z.light-01|timestamp=2524608000000,_v=sdk-c-3.2.0,securemode=3,signmethod=hmacsha256,lan=C,gw=0,ext=0|',
    password: '18708D7B575CDBCBEAAA4E651BC815C8E4D723D8869E3F85E03EB63E19FE6F17',
  },
  'C SDK 4': {
    clientId:
      'a1X2bEnP82z.light-01|timestamp=2524608000000,_ss=1,_v=sdk-c-4.1.0,securemode=3,signmethod=hmacsha256,ext=3,|',
    password: '18708D7B575CDBCBEAAA4E651BC815C8E4D723D8869E3F85E03EB63E19FE6F17',
  },
  Python: {
    clientId: 'a1X2bEnP82z&light-01|securemode=2,signmethod=hmacsha1,ext=1,_ss=1,lan=Python,_v=1.2.13,sdk=1.2.13|',
    password: '32596018e2f89151889405df8318eb807850abc7',
  },
  'Python without timestamp, SHA-256': {
    clientId: 'a1X2bEnP82z&light-01|securemode=2,signmethod=hmacsha256,ext=1,_ss=1,lan=Python|',
    password: '7e37b483290afd52c7ae0e32ae8210ed7d3afeb0f0d894ec14ced7529537858f',
  },
  Node: {
    clientId: 'a1X2bEnP82z&light-01|securemode=3,signmethod=hmacsha1,timestamp=1732370000000,lan=NodeJS,_v=1.2.4|',
    password: 'b995e0935463c39d398b461d40c91b39094d085b',
  },
  Java: {
    clientId:
      'a1X2bEnP82z.light-01|securemode=2,_v=2.0.1,lan=Java,signmethod=hmacsha1,timestamp=1732370000000,_conn=tls|',
    password: '30a9ede512264f25ce7fbadd9d50bb1bc44c036c',
  },
  'Go, seconds and MD5': {
    clientId: '12345|securemode=3,signmethod=hmacmd5,timestamp=1732370000|',
    password: '35984f2e7db097d2c62adb860fd320b9',
  },
  'the vendor default, MD5': {
    clientId: '12345|securemode=3,timestamp=1732370000|',
    password: '35984f2e7db097d2c62adb860fd320b9',
  },
  Rust: {
    clientId: 'a1X2bEnP82z.light-01|timestamp=2524608000000,_ss=1,_v=rust,securemode=3,signmethod=hmacsha256,ext=3|',
    password: '18708D7B575CDBCBEAAA4E651BC815C8E4D723D8869E3F85E03EB63E19FE6F17',
  },
};

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
