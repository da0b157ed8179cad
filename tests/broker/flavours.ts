import type { Credentials } from '../../broker/sign-in.js';

export const USERNAME = 'light-01&a1X2bEnP82z';

/** What each SDK sends for `light-01` of the ground; the signatures were made by another implementation of HMAC. */
export const FLAVOURS: Record<string, Omit<Credentials, 'username'>> = {
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
