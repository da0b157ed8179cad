import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import Database from 'better-sqlite3';
import { causeOfStep } from '../../domain/causes.js';
import { deviceUpdateWorkflowId, SEARCH_ATTRIBUTES, taskWorkflowId, type TaskKind } from '../../domain/ids.js';
import type { ServiceProcess } from '../support/service-process.js';
import type { Ledger, TimedAccount } from './ledger.js';

const TASK_ID = defineSearchAttributeKey(SEARCH_ATTRIBUTES.taskId, SearchAttributeType.KEYWORD);

interface UpdateRow {
  readonly task_id: string;
  readonly product_key: string;
  readonly device_name: string;
  readonly attempt: number;
  readonly status: string;
  readonly outcome: string | null;
  readonly cause: string | null;
  readonly step: number | null;
  readonly run_id: string | null;
  readonly notifications: number;
  readonly ended_at_ms: number;
  readonly cancel_requested_at_ms: number | null;
  readonly version: string;
}

export interface Verdict {
  /** Each is a promise that was broken; empty is what we want. */
  readonly broken: readonly string[];
  readonly deviceUpdates: number;
  /** Acknowledged to devices, and found in the records. */
  readonly recordedReports: number;
}

/** A notification on its way when its update ends may still arrive this much later. */
const IN_FLIGHT_MS = 1_000;

/** Compares what the devices know with records and engine, once everything has ended. */
export async function judge(service: ServiceProcess, ledger: Ledger): Promise<Verdict> {
  const db = new Database(join(service.folder, 'data', 'ferry.db'), { readonly: true });
  const connection = await Connection.connect({ address: service.temporalAddress });
  try {
    const updates = db
      .prepare<[], UpdateRow>(
        `SELECT u.*, f.version FROM device_updates u JOIN tasks t ON t.id = u.task_id JOIN firmware f ON f.id = t.firmware_id`,
      )
      .all();
    const recorded = { reports: 0 };
    const broken = [
      ...updates.flatMap((update) => [
        ...wrongEnd(update, ledger.accounts(update.device_name, update.version)),
        ...lostReports(update, ledger, recorded),
      ]),
      ...lateNotifications(updates, ledger),
      ...wrongVersions(db, ledger, recorded),
      ...wrongCounts(db),
      ...leakedClaims(db),
      ...(await strayRuns(new Client({ connection }), db, updates)),
    ];
    return { broken, deviceUpdates: updates.length, recordedReports: recorded.reports };
  } finally {
    await connection.close();
    db.close();
  }
}

const named = ({ device_name, version, task_id }: UpdateRow): string => `${device_name} to ${version} (${task_id})`;

/** One outcome per attempt, and the one that the device has lived through. */
function wrongEnd(update: UpdateRow, accounts: readonly TimedAccount[]): string[] {
  const { status, outcome, cause } = update;
  if (status !== 'completed' && status !== 'cancelled') return [`${named(update)} is still ${status}`];
  const ended = cause ?? outcome ?? status;
  const expected = expectedEnd(update, lived(update, accounts));
  if (ended === expected) return [];
  const story = accounts.map(({ end, step }) => `${end}${step === undefined ? '' : ` ${step}`}`).join(', ');
  return [`${named(update)} is recorded as ${ended}; the device says ${expected} (its accounts: ${story || 'none'})`];
}

/**
 * What the device had lived through when its update ended. One that was trying once more then finds its download URL
 * dead, and says so in vain.
 */
function lived(update: UpdateRow, accounts: readonly TimedAccount[]): TimedAccount | undefined {
  const last = accounts.at(-1);
  const inVain =
    last?.end === 'failed' && last.atMs > update.ended_at_ms && causeOfStep(last.step ?? 0) !== update.cause;
  return inVain ? accounts.at(-2) : last;
}

function expectedEnd({ cancel_requested_at_ms: cancelled }: UpdateRow, account: TimedAccount | undefined): string {
  // Only devices that would never end are cancelled here: nothing else can have become of them.
  if (cancelled !== null) return 'cancelled';
  switch (account?.end) {
    case 'succeeded':
      return 'succeeded';
    case 'failed':
      return causeOfStep(account.step ?? 0) ?? 'an unknown step';
    case 'silent':
      return 'no-response';
    case 'stalled':
      return 'stalled';
    case 'kept-old-version':
      return 'version-unconfirmed';
    default:
      return `nothing (${account?.end ?? 'no account'})`;
  }
}

/** What was acknowledged to the device is in the records: at least its highest percentage, and its failure. */
function lostReports(update: UpdateRow, ledger: Ledger, recorded: { reports: number }): string[] {
  // A device that was cancelled goes on reporting: those reports belong to nothing any more.
  const steps = ledger
    .acknowledgedSteps(update.device_name, update.version)
    .filter(({ atMs }) => atMs <= update.ended_at_ms)
    .map(({ step }) => step);
  const lost = steps.filter((step) => step > (update.step ?? -1));
  recorded.reports += steps.length - lost.length;
  if (update.cause !== null && causesByReport.has(update.cause)) recorded.reports++;
  return lost.map((step) => `${named(update)}: step ${step} was acknowledged, recorded is ${String(update.step)}`);
}

const causesByReport = new Set([-1, -2, -3, -4].map((step) => causeOfStep(step) as string));

function lateNotifications(updates: readonly UpdateRow[], ledger: Ledger): string[] {
  const ends = new Map(updates.map((update) => [`${update.device_name} ${update.version}`, update]));
  return ledger.notifications.flatMap(({ deviceName, version, atMs }) => {
    const update = ends.get(`${deviceName} ${version}`);
    if (!update) return [`${deviceName} was notified of ${version}, of which there is no record`];
    const lateMs = atMs - update.ended_at_ms;
    return lateMs > IN_FLIGHT_MS ? [`${named(update)} was notified ${lateMs} ms after it had ended`] : [];
  });
}

function wrongVersions(db: Database.Database, ledger: Ledger, recorded: { reports: number }): string[] {
  const rows = db.prepare<[], { device_name: string; version: string }>('SELECT * FROM device_versions').all();
  const versions = new Map(rows.map(({ device_name, version }) => [device_name, version]));
  return Array.from(ledger.versions).flatMap(([deviceName, version]) => {
    if (versions.get(deviceName) !== version) {
      return [`${deviceName} reported ${version}, recorded is ${String(versions.get(deviceName))}`];
    }
    recorded.reports++;
    return [];
  });
}

/** The counts of a task are kept by increments: they must be what counting finds. */
function wrongCounts(db: Database.Database): string[] {
  const rows = db
    .prepare<[], { id: string; kept: string; counted: string }>(
      `SELECT t.id, printf('%d %d %d %d %d %d %d', pending, notified, upgrading, succeeded, failed, cancelled, total) kept,
         (SELECT printf('%d %d %d %d %d %d %d', sum(status = 'pending'), sum(status = 'notified'), sum(status = 'upgrading'),
            sum(outcome IS 'succeeded'), sum(outcome IS 'failed'), sum(status = 'cancelled'), count(*))
          FROM device_updates u WHERE u.task_id = t.id) counted FROM tasks t`,
    )
    .all();
  return rows.flatMap(({ id, kept, counted }) =>
    kept === counted ? [] : [`task ${id} counts ${kept}; its rows are ${counted}`],
  );
}

function leakedClaims(db: Database.Database): string[] {
  const rows = db.prepare<[], { task_id: string }>('SELECT task_id FROM claims WHERE released_at_ms IS NULL').all();
  return rows.map(({ task_id }) => `task ${task_id} has ended and still holds a claim`);
}

/** No run without a record, no record without a run, one run an attempt, and none that is still open. */
async function strayRuns(client: Client, db: Database.Database, updates: readonly UpdateRow[]): Promise<string[]> {
  const broken: string[] = [];
  const tasks = db
    .prepare<[], { id: string; kind: TaskKind; status: string }>('SELECT id, kind, status FROM tasks')
    .all();
  const known = new Set(tasks.map(({ id, kind }) => taskWorkflowId(kind, id)));
  const runs = new Map<string, string[]>();
  for await (const run of client.workflow.list()) {
    if (run.status.name === 'RUNNING') broken.push(`the run ${run.workflowId} is still open`);
    if (run.type === 'deviceUpdate') {
      const taskId = run.typedSearchAttributes.get(TASK_ID) ?? '';
      const key = `${taskId} ${run.workflowId}`;
      runs.set(key, [...(runs.get(key) ?? []), run.runId]);
    } else if (run.type !== 'shard' && !known.delete(run.workflowId)) {
      broken.push(`the run ${run.workflowId} has no record`);
    }
  }
  broken.push(...Array.from(known, (workflowId) => `the record of ${workflowId} has no run`));
  broken.push(
    ...tasks.filter(({ status }) => status === 'pending' || status === 'running').map(({ id }) => `task ${id} is open`),
  );
  for (const update of updates) {
    const workflowId = deviceUpdateWorkflowId({ productKey: update.product_key, deviceName: update.device_name });
    const key = `${update.task_id} ${workflowId}`;
    const [runId, ...more] = runs.get(key) ?? [];
    runs.delete(key);
    if (more.length > 0) broken.push(`${named(update)} has ${more.length + 1} runs`);
    if (runId !== update.run_id)
      broken.push(`${named(update)} names run ${String(update.run_id)}; its run is ${String(runId)}`);
  }
  broken.push(...Array.from(runs.keys(), (key) => `the run ${key} has no record`));
  return broken;
}
