import type { SignIn } from './sign-in.js';

/** How much the broker takes from strangers, and from each device. */
export interface BrokerLimits {
  readonly connectionsMax: number;
  /** One address may be the way out of a whole building. */
  readonly connectionsPerAddressMax: number;
  /** How long a connection may stay without a CONNECT. */
  readonly connectTimeoutMs: number;
  /** Of the first packet, before anybody is signed in. */
  readonly firstPacketBytesMax: number;
  readonly packetBytesMax: number;
  /** A device that asks for longer, or for none, gets this. */
  readonly keepAliveSecondsMax: number;
  /** What a device may leave unread. */
  readonly queuedBytesMax: number;
  /** Messages of quality 1 that a device may leave unacknowledged. */
  readonly inFlightMax: number;
  /** Of a device; faster ones are taken later, as long as it stays connected. */
  readonly messagesPerSecond: number;
  /** How long a device with a kept session may say nothing before what it has subscribed to earlier counts. */
  readonly restoredSessionMs: number;
  /** How a device's secret may have signed. */
  readonly signMethods: readonly SignIn['algorithm'][];
}

export const DEFAULT_BROKER_LIMITS: BrokerLimits = {
  connectionsMax: 50_000,
  connectionsPerAddressMax: 20_000,
  connectTimeoutMs: 10_000,
  // A device's longest message is a description of some hundred characters [protocol: topics].
  firstPacketBytesMax: 8 * 1024,
  packetBytesMax: 64 * 1024,
  keepAliveSecondsMax: 1_200, // the most that the vendor's platform takes [protocol: connect]
  queuedBytesMax: 1024 * 1024,
  inFlightMax: 64,
  messagesPerSecond: 50,
  restoredSessionMs: 3_000,
  signMethods: ['md5', 'sha1', 'sha256'],
};
