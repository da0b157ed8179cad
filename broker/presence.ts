import type { Logger } from 'pino';
import type { Connection } from './connection.js';
import type { Gateway } from './gateway.js';

/** A full disk is not found free again any sooner. */
const AGAIN_AFTER_MS = 1_000;
/** Devices written at once then: they share a transaction. */
const AT_ONCE_MAX = 100;

type Attached = Pick<Connection, 'device' | 'deviceId'> & { readonly id: string };

export interface PresenceDeps {
  readonly gateway: Pick<Gateway, 'deviceConnected' | 'deviceDisconnected'>;
  /** The device's connection now. */
  readonly presentOf: (deviceId: string) => Attached | undefined;
  readonly log: Pick<Logger, 'warn'>;
}

/** Records who is connected. What can't be written is written once it can: a device may not reconnect for weeks. */
export class Presence {
  /** By device, a connection whose coming or going the records do not know of, in the order of failing. */
  readonly #unwritten = new Map<string, Attached>();
  #again: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #isStopped = false;

  constructor(private readonly deps: PresenceDeps) {}

  /** Resolves when it is written, or can't be now. */
  async connected({ id, device, deviceId }: Attached): Promise<void> {
    await this.deps.gateway
      .deviceConnected(device, id)
      .catch((error: unknown) => this.#failed({ id, device, deviceId }, error));
  }

  /** Resolves when it is written, or can't be now. */
  async disconnected({ id, device, deviceId }: Attached): Promise<void> {
    await this.deps.gateway
      .deviceDisconnected(device, id)
      .catch((error: unknown) => this.#failed({ id, device, deviceId }, error));
  }

  /** Nothing is written again any more: the next start counts nobody as online. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#again);
    await this.#writing;
  }

  #failed(attached: Attached, error: unknown): void {
    if (this.#unwritten.size === 0) {
      this.deps.log.warn({ error: String(error) }, 'presence could not be recorded; it is tried again');
    }
    this.#unwritten.set(attached.deviceId, attached);
    this.#tryAgain();
  }

  #tryAgain(): void {
    if (this.#isStopped) return;
    this.#again ??= setTimeout(() => {
      this.#writing = this.#writeAll();
    }, AGAIN_AFTER_MS).unref();
  }

  /** As long as anything can be written. */
  async #writeAll(): Promise<void> {
    for (let written = [true]; written.includes(true);) {
      const some = [...this.#unwritten.values()].slice(0, AT_ONCE_MAX);
      written = await Promise.all(some.map((attached) => this.#write(attached)));
    }
    this.#again = undefined;
    if (this.#unwritten.size > 0) this.#tryAgain();
  }

  /** What is so now, whatever has failed before. */
  async #write(attached: Attached): Promise<boolean> {
    const { id, device, deviceId } = attached;
    this.#unwritten.delete(deviceId);
    const present = this.deps.presentOf(deviceId);
    const { gateway } = this.deps;
    try {
      // Only the end of the connection that is recorded counts: this one's beginning may have failed too.
      if (present) await gateway.deviceConnected(device, present.id);
      else await Promise.all([gateway.deviceConnected(device, id), gateway.deviceDisconnected(device, id)]);
      return true;
    } catch {
      if (!this.#unwritten.has(deviceId)) this.#unwritten.set(deviceId, attached); // after all others
      return false;
    }
  }
}
