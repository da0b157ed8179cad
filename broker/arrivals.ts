import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Aedes, AuthenticateError, Client } from 'aedes';
import type { DeviceKey } from '../domain/ids.js';
import { Authenticator, ReturnCode, type AuthenticatorDeps } from './authenticator.js';
import { Connection, type OutgoingLimits } from './connection.js';
import type { BrokerLimits } from './limits.js';
import { parseSignIn } from './sign-in.js';
import { deviceId, isSameDevice, ownerOf } from './topics.js';

type ConnectPacket = Parameters<Aedes['preConnect']>[1];

export interface ArrivalsDeps extends AuthenticatorDeps {
  readonly limits: BrokerLimits;
  /** Of every connection. */
  readonly outgoing: OutgoingLimits;
}

/** What has come of a CONNECT: a connection, or the return code of a refusal. */
type Verdict = Connection | number;

/** Tells who connects, and knows who is being let in: from the CONNECT to the admission, or to the end of the connection. */
export class Arrivals {
  readonly #authenticator: Authenticator;
  readonly #verdicts = new WeakMap<Client, Verdict>();
  /** The device that he says he is, whether that is checked or not. */
  readonly #claims = new Map<Client, string>();

  constructor(private readonly deps: ArrivalsDeps) {
    this.#authenticator = new Authenticator(deps);
  }

  /**
   * Checks who connects, and makes the device's name the client id: sessions and take-over are keyed by the device,
   * since some SDKs use another client id at each connection [protocol: connect]. Whoever fails gets a random id and
   * touches nobody's session.
   *
   * @returns false when the client is gone: its connection may have ended in the middle of what was read of it
   */
  async identify(client: Client, packet: ConnectPacket): Promise<boolean> {
    if (isGone(client)) return false;
    const { clientId, username, password } = packet;
    const claim = parseSignIn({ clientId, username, password: password?.toString('latin1') });
    if (claim) this.#claims.set(client, deviceId(claim.device));
    const signIn = isSpoken(packet)
      ? await this.#authenticator.authenticate(client.conn as Socket, claim)
      : ReturnCode.BAD_CREDENTIALS; // which aedes refuses by another code, before it asks for this one
    // aedes keeps the packet as long as the connection; nobody asks for these any more.
    Object.assign(packet, { username: undefined, password: undefined });
    if (isGone(client)) return false;
    if (typeof signIn === 'number') {
      packet.clientId = `refused/${randomUUID()}`;
      delete packet.will;
      this.#verdicts.set(client, signIn);
      return true;
    }
    const connection = new Connection(client, signIn.device, signIn.systemSubscribes, this.deps.outgoing);
    packet.clientId = connection.deviceId;
    this.#restrainWill(signIn.device, packet);
    const { keepAliveSecondsMax } = this.deps.limits;
    packet.keepalive = Math.min(packet.keepalive ?? 0, keepAliveSecondsMax) || keepAliveSecondsMax;
    this.#verdicts.set(client, connection);
    return true;
  }

  /** Of who has proved that he is the device; also long after. */
  connectionOf(client: Client): Connection | undefined {
    const verdict = this.#verdicts.get(client);
    return verdict instanceof Connection ? verdict : undefined;
  }

  /** Undefined: welcome. */
  refusalOf(client: Client): AuthenticateError | undefined {
    const verdict = this.#verdicts.get(client) ?? ReturnCode.BAD_CREDENTIALS;
    return verdict instanceof Connection ? undefined : refusal(verdict);
  }

  /** He is admitted, or gone. */
  over(client: Client): void {
    this.#claims.delete(client);
  }

  /**
   * The device's secret is another one now.
   *
   * @returns who may have been checked by the old one, and is not admitted yet
   */
  distrust(device: string): Client[] {
    this.#authenticator.forget(device);
    return [...this.#claims].filter(([, claimed]) => claimed === device).map(([client]) => client);
  }

  /** A will speaks for its device only, and is never retained. */
  #restrainWill(device: DeviceKey, packet: ConnectPacket): void {
    if (!packet.will) return;
    const owner = ownerOf(packet.will.topic);
    if (owner && isSameDevice(owner, device)) {
      packet.will.retain = false;
      return;
    }
    this.deps.irregularities.note('foreign-will', deviceId(device), packet.will.topic);
    delete packet.will;
  }
}

/** Whether the broker speaks that version of MQTT. */
const isSpoken = ({ protocolVersion }: ConnectPacket): boolean => protocolVersion === 3 || protocolVersion === 4;

export const isGone = ({ closed, conn }: Client): boolean => closed || conn.destroyed;

/** aedes's type of the code is an enum that exists in types only. */
const refusal = (returnCode: number): AuthenticateError =>
  Object.assign(new Error('sign-in refused'), { returnCode } as unknown as AuthenticateError);
