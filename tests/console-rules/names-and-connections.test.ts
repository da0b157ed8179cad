import { describe, expect, it } from 'vitest';
import { connectionLines } from '../../console/pages/devices/connection-lines.js';
import { parseTyped } from '../../console/pages/devices/typed-devices.js';
import { parseNames, withoutNames } from '../../console/pages/dialogs/parse-names.js';
import { deviceNameProblem } from '../../domain/names.js';

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

describe('A list of device names that is pasted', () => {
  const parse = (text: string) => parseNames(text, deviceNameProblem);

  it('may be a row of our own export, whose name a spreadsheet would take for a formula', () => {
    expect(parse('deviceName,protocol\n\'@gw-1,mqtt\n"\'-7",mqtt')).toEqual({
      names: ['@gw-1', '-7'],
      invalidLines: [],
    });
    expect(withoutNames("'@gw-1,mqtt\nL-2", ['@gw-1'])).toBe('L-2');
  });

  it.each(['Device Name\nL-1', '\n\ndeviceName\nL-1', '# of today\nL-1'])(
    'has no device in the first lines of %j',
    (text) => {
      expect(parse(text)).toEqual({ names: ['L-1'], invalidLines: [] });
    },
  );

  it('may have the line ends of old spreadsheets', () => {
    expect(parse('L-1\rL-2\r\nL-3')).toEqual({ names: ['L-1', 'L-2', 'L-3'], invalidLines: [] });
  });
});

describe('Devices that are typed in', () => {
  it.each(['deviceName;protocol\nL-1;mqtt', 'Device Name,protocol\nL-1,mqtt', '"device_name"\tprotocol\nL-1\tmqtt'])(
    'get no second heading above that of %j',
    (text) => {
      expect(parseTyped(text)).toEqual({ csv: `${text}\n`, count: 1, addedLines: 0 });
    },
  );

  it('get a heading where there is none, whatever ends the lines', () => {
    expect(parseTyped('L-1\rL-2')).toEqual({ csv: 'deviceName\nL-1\nL-2\n', count: 2, addedLines: 1 });
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
