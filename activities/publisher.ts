import type { DeviceKey } from '../domain/ids.js';
import type { OpenDeviceUpdate } from '../records/records.js';

/** How activities reach a device; the broker's side of it is injected (broker/notifier.ts). */
export interface Publisher {
  /**
   * Sends the device its update notification, with a fresh download URL.
   *
   * @returns false when the device is not connected and subscribed: nothing was sent
   */
  notify(update: OpenDeviceUpdate): Promise<boolean>;
  isReachable(device: DeviceKey): boolean;
  /** What the device is reachable by now, as `online` signals name it; undefined while it is not. */
  onlineId(device: DeviceKey): string | undefined;
  /** For how long devices can reach Ferry without a break: a device can't be blamed for what it could not report. */
  listeningForMs(): number | Promise<number>;
}
