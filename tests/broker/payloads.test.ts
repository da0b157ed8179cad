import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createNotifier } from '../../broker/notifier.js';
import {
  formatClockReply,
  formatEmptyReply,
  formatNotification,
  formatOldEmptyReply,
  formatQueryReply,
  parseClockQuery,
  parseFirmwareQuery,
  parsePlatformMessage,
  parseProgressReport,
  parseVersionReport,
} from '../../broker/payloads.js';
import type { OpenDeviceUpdate } from '../../records/records.js';

const bytes = (text: string) => Buffer.from(text);
const md5 = 'ab'.repeat(16);
const sha256 = 'cd'.repeat(32);
const firmware = { sizeBytes: 300_000, version: '2.0.0', module: 'default', sign: md5, signMethod: 'MD5' as const };
const URL_SHORT = 'http://10.0.0.1:8080/files/x';

describe('a payload that is nested deeply behind a number that JavaScript can not hold', () => {
  const payload = bytes(`{"id":12345678901234567890,"x":${'['.repeat(25_000)}${']'.repeat(25_000)},"params":{}}`);
  const clock = bytes(`{"deviceSendTime":12345678901234567890,"x":${'['.repeat(25_000)}${']'.repeat(25_000)}}`);

  it('is read without that number, and nothing is thrown', () => {
    expect(parseFirmwareQuery(payload)).toEqual({ id: '0', module: 'default' });
    expect(parsePlatformMessage(payload)).toEqual({ replyTo: null });
    expect(parseClockQuery(clock)).toBeUndefined();
  });
});

describe('any payload', () => {
  // What grows with the square of the length takes many seconds for each of these.
  it.each([
    ['NULs before its end', `${'\0'.repeat(65_000)}x\0`],
    ['blanks after a comma', `{"a":1,${' '.repeat(65_000)}x`],
    ['commas', `[${', '.repeat(32_000)}x`],
    ['blanks around a step', `{"params":{"step":"${' '.repeat(32_000)}5${' '.repeat(32_000)}x"}}`],
    ['control characters', `{"params":{"step":-1,"desc":"${'\u007f'.repeat(65_000)}"}}`],
    ['a version of blanks', `{"params":{"version":"1${' '.repeat(65_000)}"}}`],
  ])('is read in no time, whatever it is full of: %s', (_, payload) => {
    const startedMs = performance.now();
    for (const parse of [parseVersionReport, parseProgressReport, parseFirmwareQuery]) parse(bytes(payload));
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });

  it('may end with several NULs, and have others in it', () => {
    expect(parseVersionReport(bytes('{"params":{"version":"1.0.0"}}\0\0\0'))?.version).toBe('1.0.0');
    expect(parseVersionReport(bytes('{"params":{"version":"1.0.0"}}\0x\0'))?.version).toBe('1.0.0');
    expect(parseVersionReport(bytes('\0\0'))).toBeUndefined();
  });
});

describe('version reports', () => {
  it.each([
    ['{"id":1,"params":{"version":"1.0.0","module":"MCU"}}', { version: '1.0.0', module: 'MCU' }],
    ['{"id":"1","params":{"version":"1.0.0"}}', { version: '1.0.0', module: 'default' }],
    ['{"id":1,"params":{"version":"1.0.0","module":null}}', { version: '1.0.0', module: 'default' }],
    ['{"id":1,"params":{"version":"1.0.0","module":""}}', { version: '1.0.0', module: 'default' }],
    ['{"id":1,"params":{"version":"1.0.0"}}\0', { version: '1.0.0', module: 'default' }],
    ['{"id":1,"params":{"version":"1.0.0",},}', { version: '1.0.0', module: 'default' }],
    ['{"id":1,"params":{"version":"1.0.0"}}\0"}}', { version: '1.0.0', module: 'default' }],
    ['\ufeff{"id":1,"params":{"version":"1.0.0"}}\r\n', { version: '1.0.0', module: 'default' }],
    ['{"params":{"version":"1.0.0\\r\\n"}}', { version: '1.0.0', module: 'default' }],
    ['{"params":{"version":"1.0.0\n","module":" MCU "}}', { version: '1.0.0', module: 'MCU' }],
    ['{"params":{"version":" 1.0.0\\u0000"}}', { version: '1.0.0', module: 'default' }],
    ['{"params":{"version":"a,}b",},}', { version: 'a,}b', module: 'default' }],
    ['{"params":{"version":"a, ]b","desc":",}",},}', { version: 'a, ]b', module: 'default' }],
    ['{"params":{"version":"版本 2"}}', { version: '版本 2', module: 'default' }],
  ])('reads %s', (payload, report) => {
    expect(parseVersionReport(bytes(payload))).toEqual(report);
  });

  it.each([
    '',
    'null',
    '[]',
    '"1.0.0"',
    '{}',
    '{"id":1}',
    '{"id":1,"params":null}',
    '{"id":1,"params":[]}',
    '{"id":1,"params":{"version":1}}',
    '{"id":1,"params":{"version":""}}',
    '{"id":1,"params":{"version":"1.0\\n2"}}',
    '{"id":1,"params":{"version":"1.0.0"}/**/}',
    '{"id":1,"params":{"version":"a\\"b"}}',
    `{"id":1,"params":{"version":"${'1'.repeat(65)}"}}`,
    '{"id":1,"params":{"version":"1.0.0","module":"../x"}}',
    '{"id":1,"params":{"version":"1.0.0","module":7}}',
    '{"id":1,"params":{"version":"1.0.0"}',
    '['.repeat(60_000),
  ])('refuses %s', (payload) => {
    expect(parseVersionReport(bytes(payload))).toBeUndefined();
  });

  it('refuses a version that is no UTF-8', () => {
    const payload = Buffer.concat([bytes('{"params":{"version":"'), Buffer.from([0xd6, 0xd0]), bytes('"}}')]);
    expect(parseVersionReport(payload)).toBeUndefined();
  });
});

describe('progress reports', () => {
  it.each([
    ['{"id":2,"params":{"step":"40","desc":"half","module":"MCU"}}', { step: 40, description: 'half', module: 'MCU' }],
    ['{"id":2,"params":{"step":40}}', { step: 40, description: '', module: null }],
    ['{"id":2,"params":{"step":"0","desc":""}}', { step: 0, description: '', module: null }],
    ['{"id":2,"params":{"step":"100"}}', { step: 100, description: '', module: null }],
    ['{"id":2,"params":{"step":"-4","desc":"flash"}}', { step: -4, description: 'flash', module: null }],
    ['{"id":2,"params":{"step":-1,"desc":7,"module":null}}', { step: -1, description: '', module: null }],
  ])('reads %s', (payload, report) => {
    expect(parseProgressReport(bytes(payload))).toEqual(report);
  });

  it.each([
    ['"12.5"', 12],
    ['12.9', 12],
    ['"12%"', 12],
    ['" 12 % "', 12],
    ['"12,5"', 12],
    ['"+7"', 7],
    ['101', 100],
    ['"100.0"', 100],
    ['99.99', 99],
    ['1e3', 100],
    ['"65535"', 100],
    ['-0', 0],
    ['0.4', 0],
  ])('reads the step %s as %i percent', (step, percent) => {
    expect(parseProgressReport(bytes(`{"params":{"step":${step}}}`))?.step).toBe(percent);
  });

  it.each(['-5', '"-6"', '-100', '-1.5', '-0.5', '"-99 %"'])('reads the step %s as a failure, and names it', (step) => {
    const report = parseProgressReport(bytes(`{"params":{"step":${step},"desc":"bad"}}`));
    expect(report?.step).toBeLessThan(-4);
    expect(report?.description).toBe(`It reported step ${Number.parseFloat(step.replaceAll('"', ''))}. bad`);
  });

  it.each(['"4e1"', '"0x10"', '""', '" "', 'null', 'true', '[40]', '1e400', '"٤٠"'])('refuses the step %s', (step) => {
    expect(parseProgressReport(bytes(`{"id":2,"params":{"step":${step}}}`))).toBeUndefined();
  });

  it('keeps 200 printable characters of a description', () => {
    const description = `bad\u0007 \u202e\nblock ${'块'.repeat(300)}`;
    const report = parseProgressReport(bytes(JSON.stringify({ params: { step: -4, desc: description } })));
    expect(report?.description).toMatch(/^bad\s+block 块+$/u);
    expect(Array.from(report?.description ?? '')).toHaveLength(200);
  });

  it('keeps a failure whose description is no UTF-8', () => {
    const payload = Buffer.concat([bytes('{"params":{"step":"-2","desc":"'), Buffer.from([0xd6, 0xd0]), bytes('"}}')]);
    expect(parseProgressReport(payload)?.step).toBe(-2);
  });
});

describe('queries', () => {
  it.each([
    ['{"id":"2","version":"1.0","params":{"module":"MCU"}}', { id: '2', module: 'MCU' }],
    ['{"id":"2","version":"1.0","params":{},"method":"thing.ota.firmware.get"}', { id: '2', module: 'default' }],
    ['{"id":"2","params":{"module":"MCU",},}', { id: '2', module: 'MCU' }],
    ['{"id":2,"params":{"version":"1.0.0"}}', { id: 2, module: 'default' }],
    ['{}', { id: '0', module: 'default' }],
  ])('reads %s', (payload, query) => {
    expect(parseFirmwareQuery(bytes(payload))).toEqual(query);
  });

  it.each(['', 'get', '{"id":"2","params":{"module":"a b"}}'])('refuses %s', (payload) => {
    expect(parseFirmwareQuery(bytes(payload))).toBeUndefined();
  });

  it('never takes an answer for a question: they share a topic', () => {
    for (const answer of [formatNotification(firmware, URL_SHORT, 1), formatOldEmptyReply(1), formatEmptyReply('1')]) {
      expect(parseFirmwareQuery(bytes(answer))).toBeUndefined();
    }
  });

  it('reads the time question and other messages that want an answer', () => {
    expect(parseClockQuery(bytes('{"deviceSendTime":"1571724098000"}'))).toEqual({ deviceSendTime: '1571724098000' });
    expect(parseClockQuery(bytes('{"deviceSendTime":1571724098000}'))).toEqual({ deviceSendTime: 1571724098000 });
    expect(parseClockQuery(bytes('{}'))).toBeUndefined();
    expect(parsePlatformMessage(bytes('{"id":"7","params":{}}'))).toEqual({ replyTo: '7' });
    expect(parsePlatformMessage(bytes('{"params":{}}'))).toEqual({ replyTo: null });
    expect(parsePlatformMessage(bytes('{"id":"7","sys":{"ack":0}}'))).toEqual({ replyTo: null });
    expect(parsePlatformMessage(bytes(`{"id":"${'7'.repeat(65)}"}`))).toEqual({ replyTo: null });
  });

  it('get numbers back letter for letter, whatever their size', () => {
    const big = '123456789012345678901234567890';
    const query = parseFirmwareQuery(bytes(`{"id":${big},"params":{},}`));
    expect(formatEmptyReply(query?.id ?? '')).toContain(`"id":"${big}"`);
    expect(formatQueryReply(firmware, URL_SHORT, query?.id ?? '')).toContain(`"id":"${big}"`);
    expect(formatOldEmptyReply({ number: big })).toBe(`{"code":"1000","data":{},"id":${big},"message":"success"}`);
    expect(formatNotification(firmware, URL_SHORT, { number: big })).toContain(`"id":${big},`);
    expect(parsePlatformMessage(bytes(`{"id":9007199254740993}`))).toEqual({ replyTo: { number: '9007199254740993' } });
    for (const time of ['9007199254740993', '-18446744073709551616', '1.50', '1e30']) {
      const asked = parseClockQuery(bytes(`{"deviceSendTime":${time}}`));
      const reply = formatClockReply(asked?.deviceSendTime ?? '', { receivedAtMs: 5, sentAtMs: 6 });
      expect(reply).toBe(`{"deviceSendTime":${time},"serverRecvTime":"5","serverSendTime":"6"}`);
    }
  });

  it('no bytes at all make a parser throw', () => {
    const parsers = [
      parseVersionReport,
      parseProgressReport,
      parseFirmwareQuery,
      parseClockQuery,
      parsePlatformMessage,
    ];
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((json) => bytes(json)),
      fc
        .record({ params: fc.dictionary(fc.constantFrom('version', 'module', 'step', 'desc'), fc.jsonValue()) })
        .map((message) => bytes(JSON.stringify(message))),
    );
    fc.assert(fc.property(anything, (payload) => parsers.every((parse) => typeof parse(payload) !== 'string')));
  });
});

describe('the notification', () => {
  it('is compact, with its keys in order, code a string and id a number', () => {
    expect(formatNotification(firmware, URL_SHORT, 1795417272126)).toBe(
      `{"code":"1000","data":{"size":300000,"sign":"${md5}","version":"2.0.0","url":"${URL_SHORT}","signMethod":"Md5",` +
        `"md5":"${md5}"},"id":1795417272126,"message":"success"}`,
    );
  });

  it('names SHA256 and no md5 for a firmware that is signed so, and the module when it is not the default', () => {
    const other = { ...firmware, signMethod: 'SHA256' as const, sign: sha256, module: 'MCU' };
    expect(formatNotification(other, URL_SHORT, 1)).toBe(
      `{"code":"1000","data":{"size":300000,"sign":"${sha256}","version":"2.0.0","url":"${URL_SHORT}",` +
        `"signMethod":"SHA256","module":"MCU"},"id":1,"message":"success"}`,
    );
  });

  it('answers a query with code a number and id a string, data in the middle', () => {
    expect(formatQueryReply(firmware, URL_SHORT, 2)).toBe(
      `{"code":200,"data":{"size":300000,"sign":"${md5}","version":"2.0.0","url":"${URL_SHORT}","signMethod":"Md5",` +
        `"md5":"${md5}"},"id":"2","message":"success"}`,
    );
    expect(formatEmptyReply('2')).toBe('{"code":200,"data":{},"id":"2","message":"success"}');
  });

  it('answers the older form as C SDK 3 reads it: "success", and the letters url only if there is one', () => {
    expect(formatOldEmptyReply(3)).toBe('{"code":"1000","data":{},"id":3,"message":"success"}');
    expect(formatOldEmptyReply(3)).not.toContain('url');
  });

  it('gives times as strings, and the device its own back', () => {
    expect(formatClockReply('1571724098000', { receivedAtMs: 5, sentAtMs: 6 })).toBe(
      '{"deviceSendTime":"1571724098000","serverRecvTime":"5","serverSendTime":"6"}',
    );
  });

  it('stays below 2 KB with the longest names, and is refused with a URL that would crash a C device', () => {
    const longest = {
      ...firmware,
      signMethod: 'SHA256' as const,
      sign: sha256,
      version: '版'.repeat(64),
      module: 'm'.repeat(64),
    };
    const url = `http://${'u'.repeat(247)}`;
    expect(url).toHaveLength(254);
    expect(Buffer.byteLength(formatNotification(longest, url, Date.now()))).toBeLessThan(2048);
    expect(() => formatNotification(firmware, `${url}u`, 1)).toThrow('255 characters; devices take at most 254');
  });

  it('goes out through the link, and not at all with a URL that is too long', async () => {
    const published: unknown[] = [];
    const link = {
      isReachable: () => true,
      onlineId: () => 'connection',
      cutOff: async () => undefined,
      publishNotification: async (...message: unknown[]) => published.push(message) > 0,
    };
    const device = { productKey: 'PK', deviceName: 'DN' };
    const update = { record: device, firmware } as unknown as OpenDeviceUpdate;
    const notifier = createNotifier({ link, downloadUrl: () => URL_SHORT, now: () => 42 });
    expect(await notifier.notify(update)).toBe(true);
    expect(published).toEqual([[device, formatNotification(firmware, URL_SHORT, 42)]]);
    const tooLong = createNotifier({ link, downloadUrl: () => 'x'.repeat(255) });
    await expect(tooLong.notify(update)).rejects.toThrow('FERRY_PUBLIC_URL');
    expect(published).toHaveLength(1);
  });
});
