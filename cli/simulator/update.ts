import { setTimeout } from 'node:timers/promises';
import type { DeviceEvent, UpdateEnd } from './events.js';
import { FirmwareDownload } from './firmware-download.js';
import type { Notification } from './messages.js';
import { percentages, type Timing } from './timing.js';

/** What an update needs of its device. */
export interface UpdatingDevice {
  readonly timing: Timing;
  readonly readsHeadersByLetter: boolean;
  tell(event: Omit<DeviceEvent, 'deviceName'>): void;
  /** Resolves when it is acknowledged, on whatever connection. */
  reportStep(step: number, notification: Notification, desc?: string): Promise<void>;
  /** Leaves, and comes back running `version`; resolves when its report of that is acknowledged. */
  reboot(version: string): Promise<void>;
  /** Loses its connection, and comes back after a time. */
  dropConnection(awayMs: number): Promise<void>;
  readonly version: string;
}

/** A negative step that ends the update. */
export class UpdateFailed extends Error {
  override readonly name = 'UpdateFailed';

  constructor(
    readonly step: number,
    message: string,
  ) {
    super(message);
  }
}

/** One update on one device: the acts that behaviours are made of. Aborting its signal ends it anywhere. */
export class Update {
  private readonly download: FirmwareDownload;
  private isQuiet = false;
  /** Delays are this many times as long. */
  private slowness = 1;

  constructor(
    readonly notification: Notification,
    private readonly device: UpdatingDevice,
    private readonly signal: AbortSignal,
  ) {
    this.download = new FirmwareDownload(notification, { readsHeadersByLetter: device.readsHeadersByLetter, signal });
  }

  /** The percentages to report, without the 100 of a finished update. */
  get steps(): readonly number[] {
    return percentages(this.device.timing.progressReports).filter((step) => step < 100);
  }

  /** From now on it reports no percentages. */
  keepQuiet(): void {
    this.isQuiet = true;
  }

  slowDown(factor: number): void {
    this.slowness = factor;
  }

  get timing(): Timing {
    return this.device.timing;
  }

  pause(ms: number): Promise<void> {
    return setTimeout(ms * this.slowness, undefined, { signal: this.signal });
  }

  async report(step: number): Promise<void> {
    this.signal.throwIfAborted();
    if (this.isQuiet) return;
    await this.device.reportStep(step, this.notification);
    this.signal.throwIfAborted();
    this.device.tell({ kind: 'progress', step, version: this.notification.version });
  }

  /** Downloads from one percentage to another, reporting on the way. */
  async downloadBetween(from: number, to: number): Promise<void> {
    for (const step of this.steps.filter((candidate) => candidate >= from && candidate < to)) {
      await this.download.until(step);
      await this.report(step);
      await this.pause(this.timing.stepDelayMs);
    }
    await this.download.until(to);
  }

  /** Downloads all of it and checks the digest. */
  async downloadAndCheck(): Promise<void> {
    await this.downloadBetween(0, 100);
    this.check();
  }

  check(): void {
    if (!this.download.digestMatches()) throw new UpdateFailed(-3, 'Another one was computed.');
    this.device.tell({ kind: 'downloaded', bytes: this.download.received, version: this.notification.version });
  }

  corruptDownload(): void {
    this.download.corrupt();
  }

  /** Loses both connections in mid-download; the next piece comes by a Range. */
  async loseConnections(awayMs = this.timing.dropMs): Promise<void> {
    this.download.interrupt();
    await this.device.dropConnection(awayMs);
    this.device.tell({ kind: 'resumed', bytes: this.download.received });
  }

  /** Flashes, reports step 100 and reboots into the version. */
  async install(version: string): Promise<UpdateEnd> {
    await this.pause(this.timing.burnMs);
    if (this.timing.progressReports > 0) await this.report(100);
    await this.device.reboot(version);
    return version === this.notification.version ? 'succeeded' : 'kept-old-version';
  }

  get oldVersion(): string {
    return this.device.version;
  }
}
