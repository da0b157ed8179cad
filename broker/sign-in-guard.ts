import { FailureBackoff } from '../domain/failure-backoff.js';
import { RecentMap } from '../domain/recent-map.js';

/** A typo in one device's secret is retried every few seconds, and must not lock out its neighbours. */
const ADDRESS_RULE = { freeFailures: 50, firstMs: 1_000, maxMs: 60_000, forgetMs: 10 * 60_000 };
const DEVICE_RULE = { freeFailures: 10, firstMs: 1_000, maxMs: 30_000, forgetMs: 10 * 60_000 };
/** Devices whose last good address is remembered. */
const KNOWN_MAX = 50_000;

/**
 * Holds back who fails to sign in, by address and by the name that he claims, whether there is such a device or not. A
 * device that signed in from the same address before is always heard: nobody can lock it out by failing in its name, or
 * from behind the same address.
 */
export class SignInGuard {
  private readonly addresses = new FailureBackoff(ADDRESS_RULE);
  private readonly devices = new FailureBackoff(DEVICE_RULE);
  private readonly known = new RecentMap<string, string>(KNOWN_MAX);

  constructor(private readonly now: () => number) {}

  mayTry(address: string, device: string): boolean {
    if (this.known.get(device) === address) return true;
    const nowMs = this.now();
    return this.addresses.waitMs(address, nowMs) === 0 && this.devices.waitMs(device, nowMs) === 0;
  }

  failed(address: string, device: string | undefined): void {
    this.addresses.failed(address, this.now());
    if (device !== undefined) this.devices.failed(device, this.now());
  }

  succeeded(address: string, device: string): void {
    this.devices.succeeded(device);
    this.known.set(device, address);
  }

  /** Its secret is another one now: it has to prove itself anew. */
  forget(device: string): void {
    this.known.delete(device);
  }
}
