import type { Socket } from 'node:net';
import type { Irregularities } from './irregularities.js';
import type { BrokerLimits } from './limits.js';
import { addressOf } from './listeners.js';

export type CrowdLimit = Pick<BrokerLimits, 'connectionsMax' | 'connectionsPerAddressMax'>;

/** Counts connections from their first moment to their last, in all and by address: a TLS handshake is one already. */
export class Crowd {
  #size = 0;
  readonly #ofAddress = new Map<string, number>();

  /** One for all of them, which are many: nothing of its own is kept of each. */
  readonly #onClose: (this: Socket) => void;

  constructor(
    private readonly limit: CrowdLimit,
    private readonly irregularities: Irregularities,
  ) {
    const left = (address: string) => this.#left(address);
    this.#onClose = function () {
      left(addressOf(this)); // known also now, since it was asked for before
    };
  }

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
    socket.on('close', this.#onClose);
    return true;
  }

  #left(address: string): void {
    this.#size--;
    const rest = (this.#ofAddress.get(address) ?? 1) - 1;
    if (rest === 0) this.#ofAddress.delete(address);
    else this.#ofAddress.set(address, rest);
  }
}
