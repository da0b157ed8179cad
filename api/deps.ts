import type { HttpBindings } from '@hono/node-server';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { DeviceKey } from '../domain/ids.js';
import type { FirmwareLimits } from '../domain/policy.js';
import type { FirmwareStore } from '../firmware/store.js';
import type { Records } from '../records/records.js';
import type { Role } from '../domain/roles.js';
import type { Permission } from './auth.js';
import type { HttpLimits } from './http-limits.js';
import type { Owners } from './scope.js';
import type { ConnectionInfoAnswer, DoctorAnswer, ForgettingAnswer } from './schemas.js';

export type DoctorReport = DoctorAnswer;
export type ForgettingReport = ForgettingAnswer;

export type ApiLog = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

/** What the API is built from. */
export interface ApiDeps {
  readonly records: Records;
  readonly store: FirmwareStore;
  /** Tells the engine what the records hold for it of this task; never rejects (api/outbox.ts). */
  readonly deliver: (taskId: string) => Promise<void>;
  /** A run's history in Temporal's JSON. @throws FerryError `not-found`, `workflow-engine-away` */
  readonly workflowHistory: (workflowId: string, runId: string | undefined) => Promise<string>;
  /** Compares records, runs, claims and files; repairs on demand. */
  readonly examine: (fix: boolean) => Promise<DoctorReport>;
  /** Begins to delete the records of tasks that ended longer ago than that; says what there is to delete. */
  readonly forget: (olderThanMs: number) => Promise<ForgettingReport>;
  /** Cuts the connection of a device whose secret is good no more. */
  readonly cutOff: (device: DeviceKey) => Promise<void>;
  /** Where devices connect by MQTT. */
  readonly mqttAddress: () => ConnectionInfoAnswer['mqtt'];
  /** A batch of more devices than this needs a second operator; null: none does. */
  readonly approvalAbove: number | null;
  /** The token of the data folder; others are in the records. */
  readonly adminToken: string;
  readonly limits: FirmwareLimits;
  /** Where ops staff see runs; null if there is no UI. */
  readonly temporalUi: { readonly url: string; readonly namespace: string } | null;
  /** By name of the part, such as `database`: rejects when it is down. */
  readonly readiness: Readonly<Record<string, () => Promise<unknown>>>;
  readonly metrics: Registry;
  /** Of the service, such as `1.2.0`. */
  readonly version: string;
  /** The folder of the built console; without it there is none. */
  readonly consoleFolder?: string;
  readonly httpLimits?: HttpLimits;
  /** `/metrics` is for those who have a token of all products; else it is open. */
  readonly metricsNeedToken?: boolean;
  /** Browsers reach the console by https only. */
  readonly secureCookie?: boolean;
  /** Where a proxy in front is reached, which may say another host than its own address; its path is the base path. */
  readonly publicUrl?: string | undefined;
  readonly log: ApiLog;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/** Who is asking, and what he may do. */
export interface Principal {
  /** Of the token. */
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** The only product that the token is good for; null: all. */
  readonly productKey: string | null;
  /** Digest of the token, in hex. */
  readonly credential: string;
  readonly expiresAtMs: number | null;
  readonly permissions: ReadonlySet<Permission>;
}

/** The console's session that a request came with. */
export interface SignedIn {
  readonly hash: string;
  readonly expiresAtMs: number;
}

export interface ApiEnv {
  /** Absent in `app.request`, which has no socket. */
  Bindings: Partial<HttpBindings>;
  Variables: { principal: Principal; session?: SignedIn; owners: Owners; before?: object; isRepeat?: boolean };
}
