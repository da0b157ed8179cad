/** How one vendor SDK spells what the protocol leaves open [protocol: connect, topics]. */
export interface Flavour {
  readonly name: string;
  /** The free text before the first `|` of the client id; some SDKs make a new one for each connection. */
  readonly base: (productKey: string, deviceName: string) => string;
  /** Parameters of the client id, `timestamp` and `signmethod` excluded. */
  readonly parameters: string;
  readonly signMethod: 'hmacmd5' | 'hmacsha1' | 'hmacsha256';
  readonly timestamp: () => string | undefined;
  readonly trailingComma: boolean;
  readonly upperCaseHex: boolean;
  /** Topics it subscribes itself; none: `_ss=1`, the server subscribes it. */
  readonly subscribes: (productKey: string, deviceName: string) => readonly string[];
  readonly keepaliveSeconds: number;
  readonly id: (number: number) => string | number;
  readonly step: (percent: number) => string | number;
  /** What it writes as the module of an update without one. */
  readonly module: { readonly module?: null };
  readonly progressQos: 0 | 1;
  /** Asks for a pending update after its version report. */
  readonly queries: boolean;
  readonly asksTime: boolean;
  /** Finds `Content-Length` only in these very letters, and starts downloads with `Range: bytes=0-`. */
  readonly readsHeadersByLetter: boolean;
}

const asNumber = (number: number) => number;
const upgrade = (productKey: string, deviceName: string) => `/ota/device/upgrade/${productKey}/${deviceName}`;

const C4: Flavour = {
  name: 'link-c4',
  base: (productKey, deviceName) => `${productKey}.${deviceName}`,
  parameters: 'securemode=3,_v=sdk-c-4.1.0,_ss=1,ext=3,_conn=tcp',
  signMethod: 'hmacsha256',
  timestamp: () => '2524608000000', // a fixed time in the year 2050
  trailingComma: true,
  upperCaseHex: true,
  subscribes: () => [],
  keepaliveSeconds: 1_200,
  id: asNumber,
  step: String,
  module: {},
  progressQos: 0,
  queries: true,
  asksTime: true,
  readsHeadersByLetter: true,
};

const C3: Flavour = {
  ...C4,
  name: 'link-c3',
  parameters: 'securemode=3,lan=C,_v=sdk-c-3.2.0',
  signMethod: 'hmacsha1',
  timestamp: () => undefined,
  subscribes: (productKey, deviceName) => [
    upgrade(productKey, deviceName),
    `/ota/device/request/${productKey}/${deviceName}`,
  ],
  keepaliveSeconds: 60,
  queries: false,
  asksTime: false,
  progressQos: 1,
};

const NODE: Flavour = {
  name: 'node',
  base: (productKey, deviceName) => `${productKey}&${deviceName}${Date.now()}`,
  parameters: 'securemode=2,lan=JS,_v=1.2.6',
  signMethod: 'hmacsha1',
  timestamp: () => String(Date.now()),
  trailingComma: false,
  upperCaseHex: false,
  // Most of what it subscribes is outside firmware updates; refusals do not trouble it [protocol: connect].
  subscribes: (productKey, deviceName) => [
    `/sys/${productKey}/${deviceName}/thing/service/property/set`,
    `/shadow/get/${productKey}/${deviceName}`,
    upgrade(productKey, deviceName),
  ],
  keepaliveSeconds: 60,
  id: String,
  step: asNumber,
  module: {},
  progressQos: 1,
  queries: false,
  asksTime: false,
  readsHeadersByLetter: false,
};

const PYTHON: Flavour = {
  ...NODE,
  name: 'python',
  base: (productKey, deviceName) => `${productKey}&${deviceName}`,
  parameters: 'securemode=2,lan=Python,_v=2.2.1,_ss=1',
  signMethod: 'hmacmd5',
  timestamp: () => String(Math.floor(Date.now() / 1_000)),
  subscribes: () => [],
  keepaliveSeconds: 300,
  module: { module: null },
  queries: true,
};

const RUST: Flavour = {
  ...C4,
  name: 'rust',
  parameters: 'securemode=2,_v=sdk-rust-0.1.0,_ss=1',
  trailingComma: false,
  id: String,
  module: { module: null },
  progressQos: 1,
  queries: false,
  asksTime: false,
  readsHeadersByLetter: false,
};

export const FLAVOURS: readonly [Flavour, ...Flavour[]] = [C4, NODE, PYTHON, C3, RUST];
