import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { SignInRefusal } from '../domain/sign-in-refusals.js';
import type { Records } from '../records/records.js';
import type { Irregularities } from './irregularities.js';
import type { BrokerLimits } from './limits.js';
import { addressOf, certifiedName } from './listeners.js';
import type { BrokerMetrics } from './metrics.js';
import { RefusedSignIns } from './refused-sign-ins.js';
import { SignInGuard } from './sign-in-guard.js';
import { isAuthentic, type SignIn } from './sign-in.js';
import { deviceId } from './topics.js';

/** [MQTT-3.2.2] */
export const ReturnCode = { SERVER_UNAVAILABLE: 3, BAD_CREDENTIALS: 4 } as const;
type ReturnCode = (typeof ReturnCode)[keyof typeof ReturnCode];

/** Why somebody is not let in; `unchecked`: the records are away. */
type Refusal = SignInRefusal | 'unchecked';

export interface AuthenticatorDeps {
  readonly records: Pick<Records, 'deviceSecret' | 'signInRefused'>;
  readonly metrics: Pick<BrokerMetrics, 'signInsRefused'>;
  readonly irregularities: Irregularities;
  readonly log: Pick<Logger, 'warn'>;
  readonly limits: Pick<BrokerLimits, 'signMethods'>;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** Proves who connects: by the device's secret, and by its certificate if it shows one. */
export class Authenticator {
  readonly #guard: SignInGuard;
  readonly #refused: RefusedSignIns;

  constructor(private readonly deps: AuthenticatorDeps) {
    this.#guard = new SignInGuard(deps.now);
    this.#refused = new RefusedSignIns(deps);
  }

  /**
   * Who connects, by what it says of itself, or the return code of its refusal; records that are away are one. The code
   * tells a client nothing of the reason: operators find that in the log, in a metric and on the device.
   */
  async authenticate(socket: Socket, signIn: SignIn | undefined): Promise<SignIn | ReturnCode> {
    const refusal = await this.#refusalOf(socket, signIn);
    if (signIn && refusal === undefined) return signIn;
    if (refusal === 'unchecked') return ReturnCode.SERVER_UNAVAILABLE;
    const reason = refusal ?? 'malformed';
    this.#refused.note({ reason, address: addressOf(socket), device: signIn?.device });
    return reason === 'held-back' ? ReturnCode.SERVER_UNAVAILABLE : ReturnCode.BAD_CREDENTIALS;
  }

  /** Its secret is another one now: it has to prove itself anew. */
  forget(device: string): void {
    this.#guard.forget(device);
  }

  /** Undefined: welcome. One that is held back is not told whether it was right. */
  async #refusalOf(socket: Socket, signIn: SignIn | undefined): Promise<Refusal | undefined> {
    const address = addressOf(socket);
    const device = signIn && deviceId(signIn.device);
    if (!this.#guard.mayTry(address, device ?? '')) return 'held-back';
    const refusal = signIn ? await this.#check(socket, signIn) : 'malformed';
    if (refusal !== undefined && refusal !== 'unchecked') this.#guard.failed(address, device);
    if (refusal === undefined && device !== undefined) this.#guard.succeeded(address, device);
    return refusal;
  }

  /** A certificate, where there is one, must name the device that signs in. */
  #certifies(socket: Socket, { device }: SignIn): boolean {
    const named = certifiedName(socket);
    if (named === undefined || named === `${device.deviceName}&${device.productKey}`) return true;
    this.deps.irregularities.note('certificate-refused', addressOf(socket), named);
    return false;
  }

  /** The same, in the same time, for a wrong secret and for a device that does not exist. */
  async #check(socket: Socket, signIn: SignIn): Promise<Refusal | undefined> {
    if (!this.deps.limits.signMethods.includes(signIn.algorithm)) return 'method-off';
    if (!this.#certifies(socket, signIn)) return 'certificate-mismatch';
    try {
      const secret = await this.deps.records.deviceSecret(signIn.device);
      return isAuthentic(signIn, secret) ? undefined : 'wrong-secret';
    } catch (error) {
      this.deps.log.warn({ error: String(error) }, 'sign-in could not be checked');
      return 'unchecked';
    }
  }
}
