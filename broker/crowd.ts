import type { Socket } from 'node:net';
import type { Irregularities } from './irregularities.js';
import type { BrokerLimits } from './limits.js';
import { addressOf } from './listeners.js';

export type CrowdLimit = Pick<BrokerLimits, 'connectionsMax' | 'connectionsPerAddressMax'>;

/** Counts connections from their first moment to their last, in all and by address: a TLS handshake is one already. */
export class Crowd {
  #size = 0;
  readonly #ofAddress = new Map<string, number>();

  constructor(
    private readonly limit: CrowdLimit,
    private readonly irregularities: Irregularities,
  ) {}

  /** @returns false when there is no room for it: then it is closed */
  enters(socket: Socket): boolean {
    const address = addressOf(socket);
    const ofAddress = this.#ofAddress.get(address) ?? 0;
    if (this.#size >= this.limit.connectionsMax || ofAddress >= this.limit.connectionsPerAddressMax) {
      this.irregularities.note('too-many-connections', address);
      socket.destroy();
      return false;
    }
    this.#size++;
    this.#ofAddress.set(address, ofAddress + 1);
    return true;
  }

  /** @param socket one that entered: its address is known also when it has closed, since it was asked for before */
  left(socket: Socket): void {
    const address = addressOf(socket);
    this.#size--;
    const rest = (this.#ofAddress.get(address) ?? 1) - 1;
    if (rest === 0) this.#ofAddress.delete(address);
    else this.#ofAddress.set(address, rest);
  }
}
