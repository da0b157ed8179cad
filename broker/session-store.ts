import type { Aedes, Subscription } from 'aedes';

interface Persistence {
  addSubscriptions(client: { readonly id: string }, subscriptions: readonly Subscription[]): Promise<unknown>;
  cleanSubscriptions(client: { readonly id: string }): Promise<unknown>;
  putWill(client: { readonly id: string }, will: unknown): Promise<unknown>;
}

/** What is kept of a device beyond its connection: what it was granted to subscribe to, and nothing else. */
export class SessionStore {
  readonly #persistence: Persistence;
  readonly #add: Persistence['addSubscriptions'];

  /** @param aedes listens already: its store exists from then on */
  constructor(aedes: Aedes) {
    this.#persistence = (aedes as unknown as { readonly persistence: Persistence }).persistence;
    this.#add = this.#persistence.addSubscriptions.bind(this.#persistence);
    // aedes would store all of a SUBSCRIBE, refused filters too, once for each that is granted.
    this.#persistence.addSubscriptions = () => Promise.resolve();
    // A will is its connection's, which aedes gives it from when it breaks. Stored wills are for other brokers to find
    // when this one has died: every few minutes aedes would take those of connected devices for such.
    this.#persistence.putWill = () => Promise.resolve();
  }

  keep(clientId: string, granted: Subscription): void {
    void this.#add({ id: clientId }, [granted]); // in memory: done at once, and can't fail
  }

  /** The device's next session begins with nothing. */
  forget(clientId: string): Promise<unknown> {
    return this.#persistence.cleanSubscriptions({ id: clientId });
  }
}
