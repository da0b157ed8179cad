import type { Aedes, Subscription } from 'aedes';
import { deviceId, ownerOf } from './topics.js';

interface SessionStore {
  addSubscriptions(client: { readonly id: string }, subscriptions: readonly Subscription[]): Promise<void>;
  cleanSubscriptions(client: { readonly id: string }): Promise<unknown>;
  putWill(client: { readonly id: string }, will: unknown): Promise<unknown>;
}

const storeOf = (aedes: Aedes): SessionStore =>
  (aedes as unknown as { readonly persistence: SessionStore }).persistence;

/** Subscriptions of a device's session: the next one begins with nothing. */
export async function forgetSession(aedes: Aedes, clientId: string): Promise<void> {
  await storeOf(aedes).cleanSubscriptions({ id: clientId });
}

/**
 * A will is its connection's, which aedes gives it from when it breaks. Stored wills are for other brokers to find when
 * this one has died: every few minutes aedes would take those of connected devices for such. Once the broker listens.
 */
export function storeNoWills(aedes: Aedes): void {
  storeOf(aedes).putWill = () => Promise.resolve();
}

/**
 * aedes stores all filters of a SUBSCRIBE with the session, refused ones included, and would queue messages for them
 * while the device is away. To be called once the broker listens: its store exists from then on.
 */
export function storeOwnSubscriptionsOnly(aedes: Aedes): void {
  const persistence = storeOf(aedes);
  const store = persistence.addSubscriptions.bind(persistence);
  persistence.addSubscriptions = (client, subscriptions) =>
    store(
      client,
      subscriptions.filter(({ topic }) => {
        const owner = ownerOf(topic);
        return owner !== undefined && deviceId(owner) === client.id;
      }),
    );
}
