import { createHmac } from 'node:crypto';
import { generate, type Packet } from 'mqtt-packet';

/* What a stranger may send, made from a seed: the same number is the same case. */

type Random = () => number;

export interface Credentials {
  readonly productKey: string;
  readonly deviceName: string;
  readonly deviceSecret: string;
}

/** What a device's CONNECT says. */
export function signInOf({ productKey, deviceName, deviceSecret }: Credentials) {
  const base = `${productKey}.${deviceName}`;
  const content = `clientId${base}deviceName${deviceName}productKey${productKey}`;
  return {
    clientId: `${base}|securemode=3,signmethod=hmacsha256,_ss=1,|`,
    username: `${deviceName}&${productKey}`,
    password: createHmac('sha256', deviceSecret).update(content).digest('hex'),
  };
}

export const connectPacket = (device: Credentials, change: object = {}): Buffer =>
  generate({
    ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 60 },
    ...signInOf(device),
    ...change,
  } as unknown as Packet);

const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
const whole = (random: Random, below: number): number => Math.floor(random() * below);
const bytesOf = (random: Random, length: number): Buffer =>
  Buffer.from(Array.from({ length }, () => whole(random, 256)));

// ── MQTT ────────────────────────────────────────────────────────────────────────────────────────

const NASTY_TEXTS = [
  '',
  '/',
  '#',
  '+',
  '/#',
  '$SYS/#',
  '$share/g/#',
  '\u0000',
  '\ud800',
  '__proto__',
  '../../etc/passwd',
  "'; DROP TABLE devices; --",
  '<script>alert(1)</script>',
  '\u202e',
  '=cmd|calc',
  '%s%n',
  '\r\nX-Injected: 1',
  'x'.repeat(5_000),
  '/'.repeat(150),
];

/** @param own the device that may be signed in; @param foreign one that it must not touch */
function topicOf(random: Random, own: Credentials, foreign: Credentials): string {
  const { productKey, deviceName } = random() < 0.5 ? own : foreign;
  return pick(random, [
    `/ota/device/inform/${productKey}/${deviceName}`,
    `/ota/device/progress/${productKey}/${deviceName}`,
    `/ota/device/upgrade/${productKey}/${deviceName}`,
    `/ota/device/request/${productKey}/${deviceName}`,
    `/sys/${productKey}/${deviceName}/thing/ota/firmware/get`,
    `/sys/${productKey}/${deviceName}/thing/event/property/post`,
    `/ext/ntp/${productKey}/${deviceName}/request`,
    `/${productKey}/${deviceName}/user/x`,
    `/${productKey}/+/user/#`,
    pick(random, NASTY_TEXTS),
  ]);
}

function packetOf(random: Random, own: Credentials, foreign: Credentials): Buffer {
  const topic = topicOf(random, own, foreign);
  const messageId = 1 + whole(random, 65_535);
  const qos = whole(random, 3) as 0 | 1 | 2;
  const packets: object[] = [
    { cmd: 'publish', topic, payload: payloadOf(random), qos, messageId, dup: random() < 0.2, retain: random() < 0.3 },
    {
      cmd: 'subscribe',
      messageId,
      subscriptions: [
        { topic, qos },
        { topic: topicOf(random, own, foreign), qos },
      ],
    },
    { cmd: 'unsubscribe', messageId, unsubscriptions: [topic] },
    { cmd: pick(random, ['puback', 'pubrec', 'pubrel', 'pubcomp']), messageId },
    { cmd: pick(random, ['pingreq', 'pingresp', 'disconnect']) },
    { cmd: 'connack', returnCode: 0, sessionPresent: false },
    { cmd: 'suback', messageId, granted: [0] },
  ];
  try {
    return generate(pick(random, packets) as Packet);
  } catch {
    return bytesOf(random, 1 + whole(random, 64)); // what the library refuses to make, such as an empty topic
  }
}

function damage(random: Random, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  switch (whole(random, 5)) {
    case 0:
      for (let n = 1 + whole(random, 8); n > 0; n--) copy[whole(random, copy.length)] = whole(random, 256);
      return copy;
    case 1:
      return copy.subarray(0, 1 + whole(random, copy.length));
    case 2:
      return Buffer.concat([copy.subarray(0, 1), bytesOf(random, 1 + whole(random, 5)), copy.subarray(1)]);
    case 3:
      return bytesOf(random, 1 + whole(random, 300));
    default:
      return copy;
  }
}

/** The bytes of one connection, written in one go. */
export function mqttCase(random: Random, own: Credentials, foreign: Credentials): Buffer {
  const parts: Buffer[] = [];
  if (random() < 0.8) {
    const change = random() < 0.7 ? {} : { clean: random() < 0.5, will: willOf(random, own, foreign) };
    const connect = connectPacket(own, change);
    parts.push(random() < 0.85 ? connect : damage(random, connect));
  }
  for (let n = 1 + whole(random, 3); n > 0; n--) parts.push(damage(random, packetOf(random, own, foreign)));
  return Buffer.concat(parts);
}

const willOf = (random: Random, own: Credentials, foreign: Credentials) => ({
  topic: topicOf(random, own, foreign) || 'x',
  payload: Buffer.from(payloadOf(random)),
  qos: whole(random, 3),
  retain: random() < 0.5,
});

// ── JSON ────────────────────────────────────────────────────────────────────────────────────────

function valueOf(random: Random, depth: number): unknown {
  const leaf = () =>
    pick<unknown>(random, [
      ...[null, true, false, 0, -1, 1e308, -0, 1.5, 100, 101, -4, -5, Number.MAX_SAFE_INTEGER, '100', '-1', '1e9'],
      ...['NaN', '2.0.0', 'default', ...NASTY_TEXTS],
    ]);
  if (depth === 0 || random() < 0.5) return leaf();
  const size = whole(random, 4);
  if (random() < 0.4) return Array.from({ length: size }, () => valueOf(random, depth - 1));
  const names = ['step', 'desc', 'version', 'module', 'params', 'id', '__proto__', 'constructor', 'deviceSendTime'];
  return Object.fromEntries(Array.from({ length: size }, () => [pick(random, names), valueOf(random, depth - 1)]));
}

/** A device's message: nearly right, or anything. */
export function payloadOf(random: Random): string {
  const shaped = {
    id: valueOf(random, 1),
    params: {
      step: valueOf(random, 1),
      desc: valueOf(random, 1),
      version: valueOf(random, 1),
      module: valueOf(random, 1),
    },
    deviceSendTime: valueOf(random, 1),
  };
  switch (whole(random, 6)) {
    case 0:
      return JSON.stringify(valueOf(random, 4));
    case 1:
      return JSON.stringify(shaped).slice(0, whole(random, 200));
    case 2:
      return '['.repeat(whole(random, 3_000));
    case 3:
      return pick(random, NASTY_TEXTS);
    default:
      return JSON.stringify(shaped);
  }
}

export const jsonCase = (
  random: Random,
  own: Credentials,
  foreign: Credentials,
): { topic: string; payload: string } => {
  const topic = topicOf(random, own, foreign).replaceAll(/[+#\u0000]/g, 'x');
  return { topic: topic || '/x', payload: payloadOf(random) };
};

// ── HTTP ────────────────────────────────────────────────────────────────────────────────────────

export interface Route {
  readonly method: string;
  readonly path: string;
}

const encoded = (text: string): string => encodeURIComponent(text.replaceAll('\ud800', '?'));

const headerText = (random: Random): string =>
  pick(random, NASTY_TEXTS)
    .replaceAll(/[^\x20-\x7e]/g, '?')
    .slice(0, 500);

/** A request as it goes over the wire, malformed or not. @param token a good one, for half of them */
export function httpCase(random: Random, routes: readonly Route[], token: string): Buffer {
  const { method, path } = pick(random, routes);
  const asked = path.replaceAll(/\{\w+\}/g, () =>
    encoded(pick(random, [...NASTY_TEXTS.slice(1, 14), 'fuzz', 'witness', 'fuzz-3', 'x'])),
  );
  const query =
    random() < 0.4
      ? `?${pick(random, ['limit', 'cursor', 'productKey', 'x'])}=${encoded(headerText(random).slice(0, 100))}`
      : '';
  const target = pick(random, [
    ...Array.from({ length: 8 }, () => `${asked}${query}`),
    `/files/${encoded(pick(random, NASTY_TEXTS.slice(1)))}`.slice(0, 300),
    pick(random, [
      '//',
      '/../../../etc/passwd',
      '/%2e%2e/%2e%2e/etc/passwd',
      '/assets/..%2f..%2fpackage.json',
      '*',
      '/docs/%00',
    ]),
  ]);
  const [type, body] = bodyOf(random);
  const lines = [
    `${pick(random, [method, method, method, method, 'GET', 'POST', 'PATCH', 'TRACE', 'X'])} ${target} HTTP/1.1`,
    'Host: 127.0.0.1',
    ...(random() < 0.7 ? [`Authorization: Bearer ${token}`] : [`Authorization: ${headerText(random)}`]),
    `Content-Type: ${type}`,
    `Content-Length: ${random() < 0.9 ? Buffer.byteLength(body) : whole(random, 1_000)}`,
    ...(random() < 0.2 ? [`Idempotency-Key: ${headerText(random)}`] : []),
    ...(random() < 0.2 ? [`Last-Event-ID: ${headerText(random)}`] : []),
    ...(random() < 0.1 ? [`Cookie: ferry-session=${headerText(random)}`] : []),
    ...(random() < 0.1 ? ['Transfer-Encoding: chunked'] : []),
    'Connection: close',
  ];
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`);
  return random() < 0.1 ? damage(random, bytes) : bytes;
}

function bodyOf(random: Random): [type: string, body: string] {
  const boundary = 'b0undary';
  const form = ['name', 'productKey', 'version', pick(random, NASTY_TEXTS).slice(0, 50)]
    .map(
      (name) =>
        `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${pick(random, ['fuzz', '1', ...NASTY_TEXTS])}\r\n`,
    )
    .join('');
  const file = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nbytes\r\n--${boundary}--\r\n`;
  return pick(random, [
    ['application/json', payloadOf(random)],
    ['application/json', JSON.stringify(valueOf(random, 4))],
    ['application/json', '{"deviceNames":["fuzz-1"],"sourceVersions":["1.0.0"],"name":"x","remark":""}'],
    ['text/csv', `deviceName,deviceSecret\n${pick(random, NASTY_TEXTS)},${pick(random, NASTY_TEXTS)}\n`],
    [`multipart/form-data; boundary=${boundary}`, form + file],
    [`multipart/form-data; boundary=${boundary}`, form.slice(0, whole(random, form.length))],
    [headerText(random) || 'text/plain', headerText(random)],
  ]);
}
