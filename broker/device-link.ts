import type { DeviceKey } from '../domain/ids.js';

/**
 * The way to devices: what activities publish through, whatever the broker. Reports come the other way, into the
 * gateway (gateway.ts), which acknowledges them once they are durable.
 */
export interface DeviceLink {
  /**
   * Sends an update notification (QoS 1) to a device that is connected and subscribed.
   *
   * @returns false when it isn't: nothing was sent
   */
  publishNotification(device: DeviceKey, payload: string): Promise<boolean>;
  /** Connected and subscribed to its notifications now. */
  isReachable(device: DeviceKey): boolean;
  /** What the device is reachable by now: another id each time that it becomes reachable; undefined while it is not. */
  onlineId(device: DeviceKey): string | undefined;
  /** Ends its connection and its session: the secret that it has signed in by is good no more. */
  cutOff(device: DeviceKey): Promise<void>;
}
