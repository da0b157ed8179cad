import type { Fleet } from '../../cli/simulator/fleet.js';
import type { DeviceEvent } from '../../cli/simulator/events.js';
import type { FleetDevice } from '../../cli/simulator/fleet.js';

/** A notification that a device got, of a version; `again` when it was carrying that update out already. */
export interface Notification {
  readonly deviceName: string;
  readonly version: string;
  readonly atMs: number;
}

const ENDS = new Set<string>(['succeeded', 'failed', 'silent', 'stalled', 'kept-old-version', 'abandoned']);

/** A percentage whose PUBACK the device has had. */
export interface Acknowledged {
  readonly step: number;
  readonly atMs: number;
}

/** How an update ended by the device's own account, and when. */
export interface TimedAccount {
  readonly end: string;
  readonly step: number | undefined;
  readonly atMs: number;
}

/** The devices' side of the story: what reached them, and what was acknowledged to them. */
export class Ledger {
  readonly notifications: Notification[] = [];
  /** By device and version: the percentages that were acknowledged (QoS 1). */
  private readonly steps = new Map<string, Acknowledged[]>();
  /** By device: the latest version whose report was acknowledged. */
  readonly versions = new Map<string, string>();
  /** By device and version: its accounts, in order. */
  private readonly ends = new Map<string, TimedAccount[]>();
  private acknowledged = 0;
  private readonly acknowledges: ReadonlySet<string>;

  constructor(
    private readonly fleet: Fleet,
    devices: readonly FleetDevice[],
  ) {
    // The behaviour "unacknowledged" sends at QoS 0, whatever the flavour does: a kill may lose what it has sent.
    this.acknowledges = new Set(
      devices
        .filter(({ behaviour, flavour }) => behaviour !== 'unacknowledged' && flavour?.progressQos === 1)
        .map(({ deviceName }) => deviceName),
    );
    fleet.events.on('event', (event) => this.note(event));
  }

  /** Reports that were acknowledged so far: versions, failures, percentages at QoS 1. */
  get acknowledgedReports(): number {
    return this.acknowledged;
  }

  acknowledgedSteps(deviceName: string, version: string): readonly Acknowledged[] {
    return this.steps.get(`${deviceName} ${version}`) ?? [];
  }

  accounts(deviceName: string, version: string): readonly TimedAccount[] {
    return this.ends.get(`${deviceName} ${version}`) ?? [];
  }

  /** Resolves at the next acknowledged report. */
  nextReport(): Promise<void> {
    const seen = this.acknowledged;
    return this.fleet.until(() => this.acknowledged > seen);
  }

  private note({ deviceName, kind, version = '', step }: DeviceEvent): void {
    if (ENDS.has(kind)) {
      const key = `${deviceName} ${version}`;
      this.ends.set(key, [...(this.ends.get(key) ?? []), { end: kind, step, atMs: Date.now() }]);
    }
    switch (kind) {
      case 'notified':
      case 'ignored':
        this.notifications.push({ deviceName, version, atMs: Date.now() });
        break;
      case 'informed':
        this.acknowledged++;
        this.versions.set(deviceName, version);
        break;
      case 'failed':
        this.acknowledged++;
        break;
      case 'progress': {
        if (!this.acknowledges.has(deviceName)) break;
        this.acknowledged++;
        const key = `${deviceName} ${version}`;
        this.steps.set(key, [...(this.steps.get(key) ?? []), { step: step ?? 0, atMs: Date.now() }]);
        break;
      }
      default:
    }
  }
}
