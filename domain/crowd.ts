export interface CrowdLimit {
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
}

/** Counts connections from their first moment to their last, in all and by address: a TLS handshake is one already. */
export class Crowd {
  #size = 0;
  readonly #ofAddress = new Map<string, number>();

  constructor(private readonly limit: CrowdLimit) {}

  /** @returns false when there is no room for it */
  enters(address: string): boolean {
    const ofAddress = this.#ofAddress.get(address) ?? 0;
    if (this.#size >= this.limit.connectionsMax || ofAddress >= this.limit.connectionsPerAddressMax) return false;
    this.#size++;
    this.#ofAddress.set(address, ofAddress + 1);
    return true;
  }

  /** @param address of one that entered */
  left(address: string): void {
    this.#size--;
    const rest = (this.#ofAddress.get(address) ?? 1) - 1;
    if (rest === 0) this.#ofAddress.delete(address);
    else this.#ofAddress.set(address, rest);
  }
}
