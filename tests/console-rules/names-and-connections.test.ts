import { describe, expect, it } from 'vitest';
import { connectionLines } from '../../console/pages/devices/connection-lines.js';
import { withoutNames } from '../../console/pages/dialogs/parse-names.js';

describe('A list of device names', () => {
  it('loses the names that were refused, and keeps every other line', () => {
    expect(withoutNames('deviceName,note\nlamp-1,x\n"lamp-2";y\nlamp-3\n???', ['lamp-2', 'lamp-3'])).toBe(
      'deviceName,note\nlamp-1,x\n???',
    );
  });

  it('that loses them all is a list of none, which is not the whole fleet', () => {
    expect(withoutNames('nope-1\nnope-2\n', ['nope-1', 'nope-2'])).toBe('deviceName');
  });
});

describe('What a device is told to connect', () => {
  const device = { productKey: 'lamps', deviceName: 'lamp-1', pageHost: 'console.test' };
  const mqtt = { host: 'mqtt.test', port: 11_883, tlsPort: null, clientCertificates: false };
  it('names the service’s own host and port, without TLS where there is none', () => {
    const [host, port, clientId] = connectionLines({ mqtt }, device);
    expect([host, port]).toEqual(['host      mqtt.test', 'port      11883 without TLS, securemode=3']);
    expect(clientId).toContain('lamps.lamp-1|securemode=3,');
  });

  it('prefers TLS, and falls back to the host of the page when the service listens at every address', () => {
    const lines = connectionLines({ mqtt: { ...mqtt, host: null, tlsPort: 8_883, clientCertificates: true } }, device);
    expect(lines.slice(0, 5)).toEqual([
      ...[
        'host      console.test',
        'port      8883 with TLS, securemode=2',
        '   or     11883 without TLS, securemode=3',
      ],
      'TLS       asks for a certificate of the device',
      'clientId  lamps.lamp-1|securemode=2,signmethod=hmacsha256,_ss=1|',
    ]);
  });
});
