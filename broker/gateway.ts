import type { Logger } from 'pino';
import { causeOfStep } from '../domain/causes.js';
import { notified, onlineBackoffMs, progressOf } from '../domain/device-update.js';
import type { DeviceKey } from '../domain/ids.js';
import { offerOf } from '../domain/offer.js';
import type { OpenDeviceUpdate, Records } from '../records/records.js';
import { fetchedSignal, progressSignal } from '../workflows/messages.js';
import type { Message } from './connection.js';
import type { DeviceUpdateSignals } from './device-update-signals.js';
import { createIrregularities, type Irregularities, type Irregularity } from './irregularities.js';
import type { BrokerMetrics } from './metrics.js';
import { NewsTeller } from './news-teller.js';
import { OnlineSignals, type OnlineConnection, type OnlineRetry, type SweptLink } from './online-signals.js';
import {
  formatClockReply,
  formatEmptyReply,
  formatNotification,
  formatOldEmptyReply,
  formatQueryReply,
  hasStep,
  parseClockQuery,
  parseFirmwareQuery,
  parsePlatformMessage,
  parseProgressReport,
  parseVersionReport,
  type FirmwareQuery,
  type ProgressReport,
} from './payloads.js';
import { tellEach, type Told } from './tell-each.js';
import {
  clockReplyTopic,
  deviceId,
  oldQueryTopic,
  uplinkKind,
  platformReplyTopic,
  queryReplyTopic,
  type UplinkKind,
} from './topics.js';

export interface GatewayDeps {
  readonly records: Pick<
    Records,
    | 'deviceConnected'
    | 'deviceDisconnected'
    | 'failureReported'
    | 'giveOut'
    | 'openDeviceUpdate'
    | 'pendingOnlineUpdates'
    | 'progressReported'
    | 'signalled'
    | 'untoldNews'
    | 'untoldProgress'
    | 'versionReported'
  >;
  readonly signals: DeviceUpdateSignals;
  /** Whether a stored file is what it should be: a damaged one must reach no device. */
  readonly isIntact: (sha256: string) => Promise<'intact' | 'corrupt' | 'missing'>;
  /** A fresh, signed, expiring URL; at most 254 characters [protocol: the notification]. */
  readonly downloadUrl: (update: OpenDeviceUpdate) => string;
  readonly metrics: BrokerMetrics;
  readonly log: Pick<Logger, 'warn'>;
  readonly now?: () => number;
  readonly onlineRetry?: OnlineRetry;
  readonly tellAfter?: TellAfter | undefined;
}

const NO_ANSWERS: readonly Message[] = [];
/** Updates read at once. */
const SWEEP_MAX = 500;

/** How old news must be before a run is told of it. */
export interface TellAfter {
  /** First progress. */
  readonly startedMs: number;
  /** Step 100: most devices report their new version next. */
  readonly hundredMs: number;
}

/** All of it: the service is about to end. */
export const TELL_NOW: TellAfter = { startedMs: 0, hundredMs: 0 };
const TELL_AFTER: TellAfter = { startedMs: 1_000, hundredMs: 10_000 };

/** A message that a signed-in device has published. */
export interface Uplink {
  readonly topic: string;
  readonly payload: Uint8Array;
}

/**
 * Turns what devices publish into records and signals, whatever broker carries it. Percentages go to the records only;
 * a run is signalled when the story changes [design: nothing is lost between device and engine].
 */
export class Gateway {
  readonly irregularities: Irregularities;
  readonly #online: OnlineSignals;
  readonly #news: NewsTeller;
  readonly #now: () => number;

  constructor(private readonly deps: GatewayDeps) {
    this.#now = deps.now ?? Date.now;
    this.irregularities = createIrregularities(deps);
    this.#online = new OnlineSignals({ ...deps, now: this.#now, retry: deps.onlineRetry });
    this.#news = new NewsTeller({ ...deps, now: this.#now });
  }

  /**
   * Handles one message. Resolves, with the answers to send, once everything that it changes is durable: then it may be
   * acknowledged. What is malformed, foreign or stale changes nothing and is acknowledged too.
   *
   * @throws what the records throw: the message must not be acknowledged, so that the device sends it again
   */
  received(device: DeviceKey, uplink: Uplink): Promise<readonly Message[]> {
    const kind = uplinkKind(uplink.topic, device);
    if (kind === undefined) return Promise.resolve(this.#irregular('foreign-topic', device, uplink.topic));
    this.deps.metrics.messages.inc({ kind });
    const answers = this.#handle(kind, device, uplink);
    return answers instanceof Promise ? answers : Promise.resolve(answers);
  }

  /** The connection is the device's now. */
  async deviceConnected(device: DeviceKey, connectionId: string): Promise<void> {
    await this.deps.records.deviceConnected(device, connectionId, this.#now());
  }

  async deviceDisconnected(device: DeviceKey, connectionId: string): Promise<void> {
    await this.deps.records.deviceDisconnected(device, connectionId, this.#now());
  }

  /** The device is connected and subscribed to its notifications: the run of its open update is told. Never rejects. */
  deviceOnline(connection: OnlineConnection): Promise<void> {
    return this.#online.deviceOnline(connection);
  }

  /**
   * Tells the engine what it was not told: what came while it was away, `online` signals that were held back or lost.
   * To be called every few seconds.
   *
   * @throws what records or engine throw, once all that could be told is told
   */
  async sweep(link: SweptLink): Promise<void> {
    const [news, online] = await Promise.allSettled([this.tellNews(), this.#online.sweep(link)]);
    for (const result of [news, online]) if (result.status === 'rejected') throw result.reason;
  }

  /**
   * Tells runs of failures and of target versions that they do not know of. It happens at each such report anyway.
   *
   * @throws what records or engine throw, once all that could be told is told
   */
  tellNews(): Promise<void> {
    return this.#news.tell();
  }

  /**
   * Tells runs of first progress and of step 100, a little later: a device that goes on at once to what changes the
   * story more needs no signal of its own for them, and reports never wait for the engine. To be called often.
   *
   * @throws what records or engine throw: what is untold then is told the next time
   */
  async tellProgress({ startedMs, hundredMs } = this.deps.tellAfter ?? TELL_AFTER): Promise<void> {
    const nowMs = this.#now();
    const before = { startedBeforeMs: nowMs - startedMs, hundredBeforeMs: nowMs - hundredMs };
    let failure: Told['failure'];
    for (let afterId = 0; ;) {
      const untold = await this.deps.records.untoldProgress(before, SWEEP_MAX, afterId);
      const told = await tellEach(untold, (update) => this.#tellProgressOf(update));
      failure ??= told.failure;
      const last = untold.at(-1);
      if (told.isEngineAway || untold.length < SWEEP_MAX || !last) break;
      afterId = last.record.id;
    }
    if (failure) throw failure.error;
  }

  async #tellProgressOf({ record }: OpenDeviceUpdate): Promise<void> {
    const { id, taskId, step, startedAtMs, hundredAtMs } = record;
    const report =
      hundredAtMs === null ? { step: step ?? 0, atMs: startedAtMs ?? this.#now() } : { step: 100, atMs: hundredAtMs };
    // A run that is over needs no telling; its record follows it.
    await this.deps.signals.send(record, progressSignal, { taskId, ...report, progress: progressOf(record) });
    await this.deps.records.signalled(id, hundredAtMs === null ? 'progress' : 'hundred', this.#now());
  }

  #handle(kind: UplinkKind, device: DeviceKey, uplink: Uplink): Promise<readonly Message[]> | readonly Message[] {
    switch (kind) {
      case 'version-report':
        return this.#versionReported(device, uplink);
      case 'progress-report':
        return this.#progressReported(device, uplink);
      case 'firmware-query':
        return this.#firmwareQueried(device, uplink);
      case 'old-firmware-query':
        return this.#firmwareQueriedTheOldWay(device, uplink);
      case 'clock-query':
        return this.#clockQueried(device, uplink);
      case 'platform-message':
        return this.#platformMessaged(device, uplink);
      case 'other':
        return [];
    }
  }

  /** Only the target version, and a fall-back from it, are news for the run. */
  async #versionReported(device: DeviceKey, { topic, payload }: Uplink): Promise<readonly Message[]> {
    const report = parseVersionReport(payload);
    if (!report) return this.#irregular('malformed-payload', device, topic);
    const atMs = this.#now();
    const update = await this.deps.records.versionReported(device, { ...report, atMs });
    if (!update) return [];
    if (update === 'too-many-modules') return this.#irregular(update, device, report.module);
    if (update.newsAtMs !== null) this.#news.wake();
    return [];
  }

  #progressReported(device: DeviceKey, { topic, payload }: Uplink): Promise<readonly Message[]> | readonly Message[] {
    const report = parseProgressReport(payload);
    if (!report) return this.#showedLife(device, { topic, payload });
    if (report.step < 0) return this.#failureReported(device, report);
    const { module, step } = report;
    return this.deps.records
      .progressReported(device, { module, step, atMs: this.#now() })
      .then((isRecorded) => (isRecorded ? NO_ANSWERS : this.#irregular('stale-report', device, `step ${step}`)));
  }

  /**
   * What it reports can't be read; that it is at its update can. With a step, in whatever spelling, it has begun the
   * update; anything else is a sign of life of one that it has begun already.
   */
  async #showedLife(device: DeviceKey, { topic, payload }: Uplink): Promise<readonly Message[]> {
    const open = await this.deps.records.openDeviceUpdate(device, null);
    const isAtIt = open?.record.status === 'upgrading' || hasStep(payload);
    if (!open || !isAtIt) return this.#irregular('malformed-payload', device, topic);
    await this.deps.records.progressReported(device, { module: null, step: 0, atMs: this.#now() });
    return this.#irregular('malformed-payload', device, topic);
  }

  /** The run ends the update, and the record follows it. */
  async #failureReported(device: DeviceKey, report: ProgressReport): Promise<readonly Message[]> {
    const cause = causeOfStep(report.step);
    if (cause === undefined) return this.#irregular('stale-report', device, `step ${report.step}`);
    const { module, description } = report;
    const failure = { module, cause, description, atMs: this.#now() };
    const update = await this.deps.records.failureReported(device, failure);
    // Without an update that it was notified of, it is an earlier one's failure, come late.
    if (!update) return this.#irregular('stale-report', device, `step ${report.step}`);
    if (update.newsAtMs !== null) this.#news.wake();
    return [];
  }

  async #firmwareQueried(device: DeviceKey, { topic, payload }: Uplink): Promise<readonly Message[]> {
    const query = parseFirmwareQuery(payload);
    if (!query) return this.#irregular('malformed-payload', device, topic);
    const update = await this.#fetch(device, query);
    const reply = update
      ? formatQueryReply(update.firmware, this.deps.downloadUrl(update), query.id)
      : formatEmptyReply(query.id);
    return [{ topic: queryReplyTopic(device), payload: reply }];
  }

  async #firmwareQueriedTheOldWay(device: DeviceKey, { topic, payload }: Uplink): Promise<readonly Message[]> {
    const query = parseFirmwareQuery(payload);
    if (!query) return this.#irregular('malformed-payload', device, topic);
    const update = await this.#fetch(device, query);
    const id = typeof query.id === 'string' ? this.#now() : query.id;
    const reply = update
      ? formatNotification(update.firmware, this.deps.downloadUrl(update), id)
      : formatOldEmptyReply(id);
    return [{ topic: oldQueryTopic(device), payload: reply }];
  }

  /** The update that a device may have now, if any; its run and its record know of it before the device does. */
  async #fetch(device: DeviceKey, { module }: FirmwareQuery): Promise<OpenDeviceUpdate | undefined> {
    const { records, signals } = this.deps;
    const update = await records.openDeviceUpdate(device, module);
    if (!update || offerOf(update).kind !== 'given') return undefined;
    // It would be refused the file, and would take that for a failed download.
    if ((await this.deps.isIntact(update.firmware.sha256)) !== 'intact') return undefined;
    const { record } = update;
    const atMs = this.#now();
    // As with `online`: a device that asks every minute must not grow its run's history.
    const isTold = record.notifiedAtMs !== null && atMs - record.notifiedAtMs < onlineBackoffMs(record.notifications);
    if (!isTold) {
      const told = { taskId: record.taskId, atMs, progress: progressOf(record) };
      // Without the engine there is nothing for it now: it asks again, or is notified once the engine is back.
      const answer = await signals.send(record, fetchedSignal, told).catch(() => 'untold' as const);
      if (answer !== 'delivered') return undefined;
    }
    // Asked again by the transaction that records it: the task may have been stopped meanwhile. Progress counts from
    // here on, and the run writes its record only at its own next step.
    const given = await records.giveOut(record.taskId, device, isTold ? record : notified(record, atMs), record.runId);
    return given.kind === 'given' ? update : undefined;
  }

  #clockQueried(device: DeviceKey, { topic, payload }: Uplink): readonly Message[] {
    const receivedAtMs = this.#now();
    const query = parseClockQuery(payload);
    if (!query) return this.#irregular('malformed-payload', device, topic);
    const reply = formatClockReply(query.deviceSendTime, { receivedAtMs, sentAtMs: this.#now() });
    return [{ topic: clockReplyTopic(device), payload: reply }];
  }

  #platformMessaged(device: DeviceKey, { topic, payload }: Uplink): readonly Message[] {
    const message = parsePlatformMessage(payload);
    if (!message) return this.#irregular('malformed-payload', device, topic);
    if (message.replyTo === null) return [];
    return [{ topic: platformReplyTopic(topic), payload: formatEmptyReply(message.replyTo) }];
  }

  #irregular(kind: Irregularity, device: DeviceKey, detail: string) {
    this.irregularities.note(kind, deviceId(device), detail);
    return [];
  }
}
