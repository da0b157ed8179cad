import type { DeviceKey } from '../domain/ids.js';
import type { OpenDeviceUpdate } from '../records/records.js';
import type { DeviceLink } from './device-link.js';
import { formatNotification } from './payloads.js';

export interface NotifierDeps {
  readonly link: DeviceLink;
  /** A fresh, signed, expiring URL; at most 254 characters [protocol: the notification]. */
  readonly downloadUrl: (update: OpenDeviceUpdate) => string;
  readonly now?: () => number;
}

/** Sends update notifications: the broker's side of the activities' publisher. */
export function createNotifier({ link, downloadUrl, now = Date.now }: NotifierDeps) {
  return {
    /**
     * @returns false when the device is not connected and subscribed: nothing was sent
     * @throws Error if the download URL is too long for devices
     */
    async notify(update: OpenDeviceUpdate): Promise<boolean> {
      const { record, firmware } = update;
      return link.publishNotification(record, formatNotification(firmware, downloadUrl(update), now()));
    },
    isReachable: (device: DeviceKey): boolean => link.isReachable(device),
    onlineId: (device: DeviceKey): string | undefined => link.onlineId(device),
  };
}
