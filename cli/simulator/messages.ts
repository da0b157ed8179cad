import type { Flavour } from './flavour.js';

/** What a device reads of an update notification [protocol: the notification]. */
export interface Notification {
  readonly version: string;
  readonly module: string | undefined;
  readonly url: string;
  readonly sizeBytes: number;
  /** Hex digest of the file. */
  readonly sign: string;
  readonly signMethod: 'Md5' | 'SHA256';
}

export interface Message {
  readonly topic: string;
  readonly payload: string;
}

/** The messages that one device sends, in its flavour. */
export class Messages {
  private number = 0;

  constructor(
    private readonly key: { readonly productKey: string; readonly deviceName: string },
    private readonly flavour: Flavour,
  ) {}

  inform(version: string): Message {
    return this.message(this.topic('/ota/device/inform'), { params: { version, ...this.flavour.module } });
  }

  progress(step: number, { module }: Pick<Notification, 'module'>, desc = ''): Message {
    const params = {
      step: this.flavour.step(step),
      desc,
      ...(module === undefined ? this.flavour.module : { module }),
    };
    return this.message(this.topic('/ota/device/progress'), { params });
  }

  query(): Message {
    const topic = `/sys/${this.key.productKey}/${this.key.deviceName}/thing/ota/firmware/get`;
    return this.message(topic, { version: '1.0', params: {} });
  }

  time(): Message {
    const topic = `/ext/ntp/${this.key.productKey}/${this.key.deviceName}/request`;
    return { topic, payload: JSON.stringify({ deviceSendTime: String(Date.now()) }) };
  }

  private topic(kind: string): string {
    return `${kind}/${this.key.productKey}/${this.key.deviceName}`;
  }

  private message(topic: string, body: Readonly<Record<string, unknown>>): Message {
    return { topic, payload: JSON.stringify({ id: this.flavour.id(++this.number), ...body }) };
  }
}

/** Topics on which an update comes: the push, and the replies to both forms of asking. */
const UPDATE_TOPIC = /^(\/ota\/device\/(upgrade|request)\/|\/sys\/.+\/thing\/ota\/firmware\/get_reply$)/;

/** The update that a message carries, or undefined: it is another one, or an answer without an update. */
export function parseNotification(topic: string, payload: Buffer): Notification | undefined {
  if (!UPDATE_TOPIC.test(topic)) return undefined;
  const fields = parseObject(parseObject(parseJson(payload))['data']);
  const { version, module, url, size, sign, signMethod } = fields;
  if (typeof version !== 'string' || typeof url !== 'string' || typeof sign !== 'string') return undefined;
  // Exactly these spellings: another one breaks two of the SDKs [protocol: the notification].
  if (typeof size !== 'number' || (signMethod !== 'Md5' && signMethod !== 'SHA256')) return undefined;
  return {
    version,
    module: typeof module === 'string' ? module : undefined,
    url,
    sizeBytes: size,
    sign,
    signMethod,
  };
}

const parseObject = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

function parseJson(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch {
    return undefined;
  }
}
