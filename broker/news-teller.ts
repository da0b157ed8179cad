import { setImmediate as turn } from 'node:timers/promises';
import { progressOf } from '../domain/device-update.js';
import type { NewsPlace, OpenDeviceUpdate, Records } from '../records/records.js';
import { failureSignal, versionSignal } from '../workflows/messages.js';
import type { DeviceUpdateSignals } from './device-update-signals.js';
import { tellEach } from './tell-each.js';

/** Updates read at once. */
const PAGE = 500;

export interface NewsTellerDeps {
  readonly records: Pick<Records, 'untoldNews' | 'signalled'>;
  readonly signals: DeviceUpdateSignals;
  readonly now: () => number;
}

/**
 * Tells the runs of device updates what ends them: failures, and reports of the target version. Both are in the records
 * already, and their devices have their acknowledgement: no device waits for the engine.
 */
export class NewsTeller {
  #round: Promise<void> | undefined;
  #isAsked = false;

  constructor(private readonly deps: NewsTellerDeps) {}

  /** There are news: they are told at once, in the background. What can't be told now is told by the next round. */
  wake(): void {
    this.tell().catch(() => undefined);
  }

  /**
   * Tells all that is untold, the oldest first. One round runs at a time; who asks meanwhile gets one more.
   *
   * @throws what records or engine throw, once all that could be told is told
   */
  tell(): Promise<void> {
    this.#isAsked = true;
    this.#round ??= this.#rounds();
    return this.#round;
  }

  async #rounds(): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    while (this.#isAsked) {
      this.#isAsked = false;
      // The acknowledgement goes out first, and reports that came together are told together.
      await turn();
      failure = undefined;
      await this.#tellAll().catch((error: unknown) => (failure = { error }));
    }
    // No other code runs between the loop's last check and this line, so that a later `tell` begins a new round.
    this.#round = undefined;
    if (failure) throw failure.error;
  }

  async #tellAll(): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    for (let after: NewsPlace | undefined; ;) {
      const page = await this.deps.records.untoldNews(PAGE, after);
      const told = await tellEach(page, (update) => this.#tell(update));
      failure ??= told.failure;
      const last = page.at(-1);
      if (told.isEngineAway || page.length < PAGE || !last) break;
      after = { newsAtMs: last.newsAtMs ?? 0, id: last.record.id };
    }
    if (failure) throw failure.error;
  }

  /** In the order in which the device has reported them. */
  async #tell(update: OpenDeviceUpdate): Promise<void> {
    const { reportedFailure, failureSignalled, targetHeardAtMs, targetSignalled } = update;
    const failedAtMs = failureSignalled ? null : (reportedFailure?.atMs ?? null);
    const heardAtMs = targetSignalled ? null : targetHeardAtMs;
    const isFailureFirst = failedAtMs !== null && heardAtMs !== null && failedAtMs < heardAtMs;
    if (isFailureFirst) await this.#tellFailure(update);
    if (heardAtMs !== null) await this.#tellTarget(update, heardAtMs);
    if (failedAtMs !== null && !isFailureFirst) await this.#tellFailure(update);
  }

  // A run that is over needs no telling; its record follows it.

  async #tellTarget({ record, firmware }: OpenDeviceUpdate, atMs: number): Promise<void> {
    const { id, taskId } = record;
    const { version } = firmware;
    await this.deps.signals.send(record, versionSignal, { taskId, version, atMs, progress: progressOf(record) });
    await this.deps.records.signalled(id, 'target', this.deps.now());
  }

  async #tellFailure({ record, reportedFailure }: OpenDeviceUpdate): Promise<void> {
    if (!reportedFailure) return;
    const { id, taskId } = record;
    await this.deps.signals.send(record, failureSignal, { taskId, ...reportedFailure, progress: progressOf(record) });
    await this.deps.records.signalled(id, 'failure', this.deps.now());
  }
}
