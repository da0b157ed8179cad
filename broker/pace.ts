import { RecentMap } from '../domain/recent-map.js';

/** Seconds' worth of messages that may come at once: a device tells its whole story when it is back. */
const BURST_SECONDS = 2;

/** How fast a device's messages are taken: a bucket of tokens, one a message. */
export class Pace {
  private tokens: number;
  private atMs: number | undefined;

  constructor(private readonly perSecond: number) {
    this.tokens = perSecond * BURST_SECONDS;
  }

  /** Takes one message into account. @returns how long it is to wait, in ms; 0: not at all */
  waitMs(nowMs: number): number {
    this.tokens = this.refilled(nowMs) - 1;
    this.atMs = nowMs;
    return this.tokens >= 0 ? 0 : (-this.tokens * 1_000) / this.perSecond;
  }

  /** It has not been in a hurry: nothing is lost when it is forgotten. */
  isRested(nowMs: number): boolean {
    return this.refilled(nowMs) >= this.perSecond * BURST_SECONDS;
  }

  private refilled(nowMs: number): number {
    const passedMs = Math.max(0, nowMs - (this.atMs ?? nowMs));
    return Math.min(this.perSecond * BURST_SECONDS, this.tokens + (passedMs * this.perSecond) / 1_000);
  }
}

/** Remembered over a device's connections, so that a new one is no new beginning; bounded. */
const PACES_MAX = 20_000;
/** Old ones looked at whenever one is added: twice as many as come, so that there are as many as devices in a hurry. */
const LOOKED_AT = 2;

export class Paces {
  private readonly paces = new RecentMap<string, Pace>(PACES_MAX);

  constructor(private readonly perSecond: number) {}

  of(device: string, nowMs: number): Pace {
    const known = this.paces.get(device);
    if (known) return known;
    for (let i = 0; i < LOOKED_AT; i++) this.forgetIfRested(nowMs);
    const pace = new Pace(this.perSecond);
    this.paces.set(device, pace);
    return pace;
  }

  left(device: string, nowMs: number): void {
    if (this.paces.get(device)?.isRested(nowMs)) this.paces.delete(device);
  }

  /** The one that was not looked at for the longest time. */
  private forgetIfRested(nowMs: number): void {
    const oldest = this.paces.oldest();
    if (!oldest) return;
    const [device, pace] = oldest;
    if (pace.isRested(nowMs)) this.paces.delete(device);
    else this.paces.set(device, pace);
  }
}
