import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createApi } from '../api/api.js';
import { createDownloadHandler } from '../api/downloads.js';
import { closeHttpServer, createHttpServer } from '../api/http-server.js';
import { createOutbox } from '../api/outbox.js';
import { createSignInPath } from '../api/sessions.js';
import { createDeviceUpdateSignals } from '../broker/device-update-signals.js';
import { startEmbeddedBroker, type EmbeddedBroker } from '../broker/embedded-broker.js';
import { Gateway, TELL_NOW } from '../broker/gateway.js';
import { createBrokerMetrics } from '../broker/metrics.js';
import { createNotifier } from '../broker/notifier.js';
import type { Records } from '../records/records.js';
import type { FirmwareStore } from '../firmware/store.js';
import { openLocalStore } from '../firmware/local-store.js';
import { adminToken } from './admin-token.js';
import { createCatchUp } from './backup/catch-up.js';
import { loadConfigToStart, type Config } from './config.js';
import { trimmed } from './environment.js';
import { claimDataFolder, requireNoBackup, requireNoHalfRebuild, requireNoHalfRestore } from './data-folder.js';
import { createDeviceRuns } from './device-runs.js';
import { createDoctor } from './doctor/doctor.js';
import { createDownloadUrls } from './download-urls.js';
import { watchIntegrity } from './intact-files.js';
import { createLog, installSdkLog } from './log.js';
import { PROJECT_FOLDER, VERSION } from './paths.js';
import { portTaken } from './ports.js';
import { startReconciler } from './reconciler.js';
import { openRecords, sealSecrets, secretKeysOf } from './records.js';
import { openTls } from './tls.js';
import { addRecordsMetrics, createDamageCounter, createServiceMetrics } from './service-metrics.js';
import { Shutdown } from './shutdown.js';
import { createRetention, createRetentionMetrics } from './retention.js';
import { StartupError } from './startup-error.js';
import { readHistory } from './temporal/history.js';
import { tellTaskNews } from './task-news.js';
import { createTerminatedByEngine } from './temporal/termination.js';
import { startTemporal } from './temporal/temporal.js';
import { createUptime } from './uptime.js';
import { startWorkflowWorker, type WorkflowWorker } from './workflow-worker.js';

/** A running service. */
export interface Running {
  readonly httpUrl: string;
  readonly mqttUrl: string;
  /** With TLS; null where there is none. */
  readonly mqttsUrl: string | null;
  /** Null where an outside Temporal's UI is not known. */
  readonly temporalUiUrl: string | null;
  readonly temporalAddress: string;
  readonly adminToken: string;
  /** Where the token is kept; null for one that the configuration says. */
  readonly adminTokenFile: string | null;
  /** Where browsers reach the console. */
  readonly consoleUrl: string;
  /** The token was made at this start: it is to be shown once. */
  readonly adminTokenIsNew: boolean;
  /** A page that signs in once, made when the token is; to be shown once too. */
  readonly signInUrl: string | null;
  /** Resolves with the reason when a part has broken that the service can't do without. */
  readonly broken: Promise<Error>;
  stop(): Promise<void>;
}

export interface UpOptions {
  /** Told before something slow begins, such as fetching Temporal. */
  readonly onSlow?: (message: string) => void;
  /** Aborted: what has been started is stopped again, and the start rejects. */
  readonly signal?: AbortSignal;
}

const RECONCILE_MS = 2_000;
/** Runs hear of progress within this time and the gateway's own delay. */
const TELL_MS = 1_000;
const HTTP_GRACE_MS = 5_000;
/** A round that hangs waits for an engine that does not answer. */
const RECONCILER_STOP_MS = 3_000;
const IDEMPOTENCY_KEPT_MS = 24 * 3_600_000;

/**
 * Starts the whole service in this process, but for Temporal, which is a child process or elsewhere.
 *
 * @throws StartupError with one message for whoever started it; nothing is left running then
 */
export async function up(env: NodeJS.ProcessEnv, options: UpOptions = {}): Promise<Running> {
  const config = await loadConfigToStart(env);
  const log = createLog(config.logLevel);
  const shutdown = new Shutdown(log);
  try {
    const onSlow = options.onSlow ?? ((message: string) => log.info(message));
    return await unlessAborted(options.signal, start(config, { env: trimmed(env), log, shutdown, onSlow }));
  } catch (error) {
    await shutdown.run();
    throw error;
  }
}

/** @throws StartupError at the abort; what the start still does then is undone as it comes (`Shutdown`) */
async function unlessAborted<T>(signal: AbortSignal | undefined, starting: Promise<T>): Promise<T> {
  if (!signal) return starting;
  let onAbort = () => undefined as void;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(new StartupError('Stopped before it was ready.'));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort);
  });
  // Both may reject; the later one is nobody's business any more.
  starting.catch(() => undefined);
  try {
    return await Promise.race([starting, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

interface Starting {
  readonly env: NodeJS.ProcessEnv;
  readonly log: ReturnType<typeof createLog>;
  readonly shutdown: Shutdown;
  readonly onSlow: (message: string) => void;
}

/** From the ground up, so that each part finds what it needs; the shutdown goes the other way. */
async function start(config: Config, { env, log, shutdown, onSlow }: Starting): Promise<Running> {
  installSdkLog(log);
  const metrics = createServiceMetrics(VERSION);

  await requireNoBackup(config.dataDir);
  const releaseFolder = await claimDataFolder(config.dataDir);
  shutdown.add('data folder', releaseFolder);
  await requireNoHalfRestore(config.dataDir);
  await requireNoHalfRebuild(config.dataDir);
  const admin = await adminToken(config.paths.adminToken, config.adminToken);
  const secretKeys = secretKeysOf(config);
  const records = openRecords(config, secretKeys);
  shutdown.add('records', () => records.close());
  const resealed = await sealSecrets(config, records, secretKeys);
  if (resealed > 0) log.info({ devices: resealed }, 'device secrets were sealed by the newest key');
  const damagedFiles = createDamageCounter(metrics);
  addRecordsMetrics(metrics, records);
  const pause = (sha256: string) =>
    records
      .pauseTasksOf(sha256, 'firmware-file-damaged', Date.now())
      .catch((error: unknown) => log.error({ err: error, sha256 }, 'tasks of a damaged file could not be paused'));
  const store = await openLocalStore(config.paths.files, {
    onDamage: (sha256, integrity) => {
      damagedFiles.inc();
      void pause(sha256);
      log.error({ sha256, integrity }, 'a stored firmware file is damaged and not served; adding it again repairs it');
    },
  });

  const temporal = await startTemporal(config, { env, log, onSlow });
  shutdown.add('Temporal', () => temporal.stop());
  const { client, native, namespace } = temporal.connections;
  shutdown.add('Temporal connections', () => temporal.connections.close());

  const brokerMetrics = createBrokerMetrics(metrics);
  const outbox = createOutbox({ records, client, log });
  const downloads = await createDownloadUrls(config, records);
  const signals = createDeviceUpdateSignals(client);
  const catchUp = createCatchUp({ records, signals, client, log });
  // Before the worker: a restored run must hear what it missed before it goes on.
  await catchUp.tell();
  const isIntact = watchIntegrity(async (sha256) => {
    const integrity = await store.isIntact(sha256);
    if (integrity !== 'intact') await pause(sha256);
    return integrity;
  });
  const gateway = new Gateway({
    records,
    signals,
    isIntact,
    downloadUrl: downloads.urlFor,
    metrics: brokerMetrics,
    log,
  });

  const terminatedByEngine = createTerminatedByEngine(client);
  const doctor = createDoctor({
    records,
    store,
    client,
    terminatedByEngine,
    log,
    now: Date.now,
    watchMs: config.watchMs,
  });

  const retention = createRetention({ records, ...config.retention, metrics: createRetentionMetrics(metrics), log });

  /** Started after the API, which tells whether they are up. */
  const later: { broker?: EmbeddedBroker; worker?: WorkflowWorker } = {};
  const api = createApi({
    records,
    store,
    examine: (fix) => doctor.examine(fix),
    workflowHistory: (workflowId, runId) => readHistory(client, workflowId, runId),
    forget: (olderThanMs) => retention.forget(olderThanMs),
    // What is created before the restored engine has caught up goes out in the reconciler's first round.
    deliver: async (taskId) => (catchUp.isDone() ? outbox.deliver(taskId) : undefined),
    mqttAddress: () => ({
      host: publicHostOf(config),
      port: later.broker?.port ?? null,
      tlsPort: later.broker?.tlsPort ?? null,
      clientCertificates: config.clientCertificates === 'required',
    }),
    cutOff: async (device) => later.broker?.link.cutOff(device),
    approvalAbove: config.approvalAbove,
    adminToken: admin.token,
    limits: config.firmwareLimits,
    temporalUi: temporal.uiUrl === null ? null : { url: temporal.uiUrl, namespace },
    readiness: {
      database: () => records.ping(),
      'workflow engine': () => client.workflowService.getSystemInfo({}),
      'MQTT broker': () => requireListening(later.broker),
      'workflow worker': () => requireWorking(later.worker),
    },
    metrics,
    version: VERSION,
    consoleFolder: join(PROJECT_FOLDER, 'dist', 'console'),
    secureCookie: config.publicUrl?.startsWith('https:') ?? config.tls !== null,
    publicUrl: config.publicUrl,
    httpLimits: config.httpLimits,
    metricsNeedToken: config.metricsNeedToken,
    log,
  });
  const tls = config.tls && (await openTls(config.tls, log));
  if (tls) shutdown.add('TLS certificates', () => tls.stop());
  const server = createHttpServer({
    api,
    downloads: createDownloadHandler({
      ...{ records, store, log, tokens: downloads.tokens, measure: api.measure },
      perMinute: config.downloadsPerMinute,
    }),
    limits: config.httpLimits,
    log,
    tls: tls ?? undefined,
  });
  const httpUrl = await listen(server, config);
  shutdown.add('HTTP', async () => {
    api.closeStreams();
    await closeHttpServer(server, HTTP_GRACE_MS);
  });
  downloads.publishAt(config.publicUrl ?? httpUrl);

  const broker = await startEmbeddedBroker({
    host: config.host,
    port: config.mqttPlain ? config.mqttPort : null,
    tls: tls ? { port: config.mqttsPort, context: tls, clientCertificates: config.clientCertificates } : undefined,
    limits: config.brokerLimits,
    records,
    gateway,
    metrics: brokerMetrics,
    log,
  }).catch((error: unknown) => {
    // The broker names port, variable and remedy itself.
    throw new StartupError(error instanceof Error ? error.message : String(error));
  });
  later.broker = broker;
  const uptime = createUptime();
  shutdown.add('MQTT broker', () => broker.close());

  const worker = await startWorkflowWorker({
    connection: native,
    namespace,
    activities: {
      records,
      publisher: {
        ...createNotifier({ link: broker.link, downloadUrl: downloads.urlFor }),
        listeningForMs: () => Date.now() - uptime.sinceMs(),
      },
      terminatedByEngine,
      runs: createDeviceRuns(client),
      isIntact,
    },
  });
  later.worker = worker;
  shutdown.add('workflow worker', () => worker.stop());

  await catchUp.finish();

  const reconciler = startReconciler(
    {
      'outbox delivery': () => outbox.deliverAll(),
      'online sweep': () => gateway.sweep(broker.link),
      // Often enough to notice a jump of the clock before it matters.
      clock: async () => void uptime.sinceMs(),
      'open records': () => doctor.watch(),
      'paused tasks': () => resumeMended(records, store),
      'idempotency keys': () => records.forgetIdempotencyKeys(Date.now() - IDEMPOTENCY_KEPT_MS),
      sessions: () => records.forgetSessions(Date.now()),
      retention: () => retention.tick(),
    },
    { intervalMs: RECONCILE_MS, log },
  );
  shutdown.add('retention', () => retention.stop());
  shutdown.add('reconciler', () => reconciler.stop(), RECONCILER_STOP_MS);
  const teller = startReconciler({ 'telling of progress': () => gateway.tellProgress() }, { intervalMs: TELL_MS, log });
  const tellTheRest = async () => {
    await teller.stop();
    await Promise.all([gateway.tellNews(), gateway.tellProgress(TELL_NOW)]);
  };
  shutdown.add('telling of progress', tellTheRest, RECONCILER_STOP_MS);

  const news = await tellTaskNews(records, log);
  shutdown.add('news of tasks', () => news.stop());

  log.info(
    { version: VERSION, http: httpUrl, mqttPort: broker.port, mqttsPort: broker.tlsPort, temporal: temporal.address },
    'Ferry is up',
  );
  return {
    httpUrl,
    mqttUrl: mqttUrlOf(config, broker),
    mqttsUrl: broker.tlsPort === null ? null : mqttsUrlOf(config, broker.tlsPort),
    temporalUiUrl: temporal.uiUrl,
    temporalAddress: temporal.address,
    adminToken: admin.token,
    adminTokenFile: config.adminToken === undefined ? config.paths.adminToken : null,
    consoleUrl: config.publicUrl ?? httpUrl,
    adminTokenIsNew: admin.isNew,
    signInUrl: admin.isNew ? `${config.publicUrl ?? httpUrl}${await createSignInPath(records, Date.now())}` : null,
    broken: brokenWorker(worker.running),
    stop: () => shutdown.run(),
  };
}

async function requireListening(broker: EmbeddedBroker | undefined): Promise<void> {
  if (!broker?.isListening) throw new Error('not listening');
}

async function requireWorking(worker: WorkflowWorker | undefined): Promise<void> {
  if (!worker) throw new Error('not started');
}

/** Tasks whose firmware's file is as it should be again go on. */
async function resumeMended(records: Records, store: FirmwareStore): Promise<void> {
  for (const sha256 of await records.pausedFiles()) {
    if ((await store.isIntact(sha256)) === 'intact') await records.resumeTasksOf(sha256);
  }
}

const mqttsUrlOf = ({ host }: Config, port: number): string => `mqtts://${urlHost(host)}:${port}`;

const mqttUrlOf = (config: Config, { port, tlsPort }: EmbeddedBroker): string =>
  port === null ? mqttsUrlOf(config, tlsPort ?? 0) : `mqtt://${urlHost(config.host)}:${port}`;

async function listen(server: Server, { host, httpPort, tls }: Config): Promise<string> {
  try {
    server.listen(httpPort, host);
    await once(server, 'listening');
  } catch (error) {
    throw portTaken(httpPort, 'FERRY_HTTP_PORT', error);
  }
  return `${tls ? 'https' : 'http'}://${urlHost(host)}:${(server.address() as AddressInfo).port}`;
}

/** The name by which devices reach the service, as far as it is known: it may listen at every address. */
function publicHostOf({ publicUrl, host }: Config): string | null {
  if (publicUrl !== undefined) return new URL(publicUrl).hostname;
  return host === '0.0.0.0' || host === '::' ? null : host;
}

const urlHost = (host: string): string => {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
};

/** Resolves only if the worker breaks: one that was stopped is as it should be. */
const brokenWorker = (running: Promise<void>): Promise<Error> =>
  new Promise((resolve) => {
    running.catch((error: unknown) => resolve(new Error(`The workflow worker has broken: ${String(error)}`)));
  });
