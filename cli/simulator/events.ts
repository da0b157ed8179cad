/** What a simulated device did: told as it happened, so that tests and displays wait for facts, not for time. */
export interface DeviceEvent {
  readonly deviceName: string;
  readonly kind: DeviceEventKind;
  /** The version it reported, or the target version of its update. */
  readonly version?: string;
  /** Of `progress` and `failed`: as it was reported. */
  readonly step?: number;
  /** Of `downloaded`: of the whole file; of `resumed`: where it went on. */
  readonly bytes?: number;
  /** In words. */
  readonly reason?: string;
}

export const DeviceEventKind = {
  CONNECTED: 'connected',
  UNREACHABLE: 'unreachable', // an attempt to connect failed; it tries again
  REFUSED: 'refused', // the broker refused its sign-in; it tries again
  DISCONNECTED: 'disconnected',
  INFORMED: 'informed', // its version report was acknowledged
  NOTIFIED: 'notified',
  IGNORED: 'ignored', // a notification of the update that it is carrying out already
  RENOTIFIED: 'renotified', // of the update that it is carrying out, or has just carried out, on the same connection
  PROGRESS: 'progress', // a percentage was sent
  RESUMED: 'resumed', // the download goes on with a Range
  DOWNLOADED: 'downloaded', // completely, digest right
  SUCCEEDED: 'succeeded', // it runs the target version, and its report of that was acknowledged
  FAILED: 'failed', // it reported a negative step
  SILENT: 'silent', // it got the notification and leaves it at that
  STALLED: 'stalled', // it reports no further progress
  KEPT_OLD_VERSION: 'kept-old-version', // it reported step 100, and then its old version
  ABANDONED: 'abandoned', // another update, a repair, or leaving came in between
} as const;
export type DeviceEventKind = (typeof DeviceEventKind)[keyof typeof DeviceEventKind];

/** How a device's update ended, by the device's own account. */
export type UpdateEnd = 'succeeded' | 'failed' | 'silent' | 'stalled' | 'kept-old-version' | 'abandoned';

export interface UpdateAccount {
  readonly version: string;
  readonly end: UpdateEnd;
  /** The negative step of a failed one, and why. */
  readonly step?: number;
  readonly reason?: string;
}
