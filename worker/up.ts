import type { Logger } from 'pino';
import { loadConfig, type Config } from './config.js';
import { claimDataFolder } from './data-folder.js';
import { createLog, installSdkLog } from './log.js';
import { Shutdown } from './shutdown.js';

/** A running service. */
export interface Running {
  readonly httpUrl: string;
  readonly mqttUrl: string;
  readonly temporalUiUrl: string | null;
  readonly temporalAddress: string;
  readonly adminToken: string;
  /** The token was made at this start: show it once. */
  readonly adminTokenIsNew: boolean;
  /** Resolves when a part has broken that the service can't do without. */
  readonly broken: Promise<Error>;
  stop(): Promise<void>;
}
