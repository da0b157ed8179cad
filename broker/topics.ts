import { isDeviceName, isProductKey } from '../domain/names.js';
import type { DeviceKey } from '../domain/ids.js';

/** What a device's message is, by its topic [protocol: topics]. */
export const UplinkKind = {
  VERSION_REPORT: 'version-report', // /ota/device/inform/PK/DN
  PROGRESS_REPORT: 'progress-report', // /ota/device/progress/PK/DN
  FIRMWARE_QUERY: 'firmware-query', // /sys/PK/DN/thing/ota/firmware/get
  OLD_FIRMWARE_QUERY: 'old-firmware-query', // /ota/device/request/PK/DN, answered on the same topic
  CLOCK_QUERY: 'clock-query', // /ext/ntp/PK/DN/request
  PLATFORM_MESSAGE: 'platform-message', // /sys/PK/DN/thing/…: other services of the vendor's platform
  OTHER: 'other', // the device's own, of no interest to Ferry
} as const;
export type UplinkKind = (typeof UplinkKind)[keyof typeof UplinkKind];

const path = (...levels: readonly string[]): string => `/${levels.join('/')}`;

export const notificationTopic = ({ productKey, deviceName }: DeviceKey): string =>
  path('ota', 'device', 'upgrade', productKey, deviceName);
export const queryReplyTopic = ({ productKey, deviceName }: DeviceKey): string =>
  path('sys', productKey, deviceName, 'thing', 'ota', 'firmware', 'get_reply');
/** Question and answer share this topic [protocol: the older form]. */
export const oldQueryTopic = ({ productKey, deviceName }: DeviceKey): string =>
  path('ota', 'device', 'request', productKey, deviceName);
export const clockReplyTopic = ({ productKey, deviceName }: DeviceKey): string =>
  path('ext', 'ntp', productKey, deviceName, 'response');
/** Where the vendor's platform answers a message of a device. */
export const platformReplyTopic = (topic: string): string => `${topic}_reply`;

/**
 * The device that a topic, or every topic of a subscription's filter, belongs to. Undefined for anything else: `$SYS`,
 * `$share`, a wildcard in the place of a name.
 */
export function ownerOf(topic: string): DeviceKey | undefined {
  const levels = topic.split('/');
  const at = placeOfOwner(levels);
  const [productKey = '', deviceName = ''] = at === undefined ? [] : levels.slice(at, at + 2);
  return isProductKey(productKey) && isDeviceName(deviceName) ? { productKey, deviceName } : undefined;
}

/** The place of the product key among the levels; the device name follows it. */
function placeOfOwner([empty, family, service]: readonly string[]): number | undefined {
  if (empty !== '') return undefined;
  switch (family) {
    case 'sys':
      return 2;
    case 'ota':
      return service === 'device' ? 4 : undefined;
    case 'ext':
    case 'shadow':
      return 3;
    default: // /PK/DN/user/…: the device's custom topics
      return 1;
  }
}

/** What a device says by this topic; undefined when the topic is not its own. The commonest comes first. */
export function uplinkKind(topic: string, device: DeviceKey): UplinkKind | undefined {
  const kind = kindOf(topic, device);
  if (kind !== 'other') return kind;
  const owner = ownerOf(topic);
  return owner && isSameDevice(owner, device) ? kind : undefined;
}

function kindOf(topic: string, device: DeviceKey): UplinkKind {
  const { productKey, deviceName } = device;
  if (topic === path('ota', 'device', 'progress', productKey, deviceName)) return 'progress-report';
  const platform = path('sys', productKey, deviceName, 'thing');
  switch (topic) {
    case path('ota', 'device', 'inform', productKey, deviceName):
      return 'version-report';
    case `${platform}/ota/firmware/get`:
      return 'firmware-query';
    case oldQueryTopic(device):
      return 'old-firmware-query';
    case path('ext', 'ntp', productKey, deviceName, 'request'):
      return 'clock-query';
    case `${platform}/file/download`: // its reply is binary [protocol: download over MQTT]; nothing offers it
      return 'other';
  }
  // A device's own `…_reply` answers the platform: an answer to it would be answered for ever.
  return topic.startsWith(`${platform}/`) && !topic.endsWith('_reply') ? 'platform-message' : 'other';
}

/** Whether a subscription's filter covers a topic [MQTT-4.7.1]. */
export function filterCovers(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const levels = topic.split('/');
  for (const [i, level] of wanted.entries()) {
    if (level === '#') return true; // also the parent level [MQTT-4.7.1-2]
    if (i >= levels.length || (level !== '+' && level !== levels[i])) return false;
  }
  return wanted.length === levels.length;
}

/** One word for a device: what its session, connection and log lines are keyed by. */
export const deviceId = ({ productKey, deviceName }: DeviceKey): string => `${productKey}/${deviceName}`;

export const isSameDevice = (a: DeviceKey, b: DeviceKey): boolean =>
  a.productKey === b.productKey && a.deviceName === b.deviceName;
