import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Records } from '../records/records.js';
import type { Irregularities } from './irregularities.js';
import type { BrokerLimits } from './limits.js';
import { addressOf, certifiedName } from './listeners.js';
import { SignInGuard } from './sign-in-guard.js';
import { isAuthentic, type SignIn } from './sign-in.js';
import { deviceId } from './topics.js';

/** [MQTT-3.2.2] */
export const ReturnCode = { SERVER_UNAVAILABLE: 3, BAD_CREDENTIALS: 4 } as const;
type ReturnCode = (typeof ReturnCode)[keyof typeof ReturnCode];

export interface AuthenticatorDeps {
  readonly records: Pick<Records, 'deviceSecret'>;
  readonly irregularities: Irregularities;
  readonly log: Pick<Logger, 'warn'>;
  readonly limits: Pick<BrokerLimits, 'signMethods'>;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** Proves who connects: by his device's secret, and by his certificate where he shows one. */
export class Authenticator {
  readonly #guard: SignInGuard;

  constructor(private readonly deps: AuthenticatorDeps) {
    this.#guard = new SignInGuard(deps.now);
  }

  /** Who connects, by what he says of himself, or the return code of his refusal; records that are away are one. */
  async authenticate(socket: Socket, signIn: SignIn | undefined, username?: string): Promise<SignIn | ReturnCode> {
    const returnCode = await this.#refusalOf(socket, signIn);
    if (signIn && returnCode === undefined) return signIn;
    const isHeldBack = returnCode === ReturnCode.SERVER_UNAVAILABLE;
    this.#note(isHeldBack ? 'sign-in-held-back' : 'sign-in-refused', socket, username);
    return returnCode ?? ReturnCode.BAD_CREDENTIALS;
  }

  /** Its secret is another one now: it has to prove itself anew. */
  forget(device: string): void {
    this.#guard.forget(device);
  }

  /** Undefined: welcome. A held back one is not told whether he was right. */
  async #refusalOf(socket: Socket, signIn: SignIn | undefined): Promise<ReturnCode | undefined> {
    const address = addressOf(socket);
    const device = signIn && deviceId(signIn.device);
    if (!this.#guard.mayTry(address, device ?? '')) return ReturnCode.SERVER_UNAVAILABLE;
    const isAllowed =
      signIn !== undefined &&
      this.deps.limits.signMethods.includes(signIn.algorithm) &&
      this.#certifies(socket, signIn);
    const returnCode = isAllowed ? await this.#check(signIn) : ReturnCode.BAD_CREDENTIALS;
    if (returnCode === ReturnCode.BAD_CREDENTIALS) this.#guard.failed(address, device);
    if (returnCode === undefined && device !== undefined) this.#guard.succeeded(address, device);
    return returnCode;
  }

  /** A certificate, where there is one, must name the device that signs in. */
  #certifies(socket: Socket, { device }: SignIn): boolean {
    const named = certifiedName(socket);
    if (named === undefined || named === `${device.deviceName}&${device.productKey}`) return true;
    this.#note('certificate-refused', socket, named);
    return false;
  }

  /** The return code of a refusal: the same for a wrong secret and for a device that does not exist. */
  async #check(signIn: SignIn): Promise<ReturnCode | undefined> {
    try {
      const secret = await this.deps.records.deviceSecret(signIn.device);
      return isAuthentic(signIn, secret) ? undefined : ReturnCode.BAD_CREDENTIALS;
    } catch (error) {
      this.deps.log.warn({ error: String(error) }, 'sign-in could not be checked');
      return ReturnCode.SERVER_UNAVAILABLE;
    }
  }

  #note(kind: 'sign-in-held-back' | 'sign-in-refused' | 'certificate-refused', socket: Socket, detail?: string): void {
    this.deps.irregularities.note(kind, addressOf(socket), detail);
  }
}
