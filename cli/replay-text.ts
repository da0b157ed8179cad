import type { Account, AccountEvent, RunState } from '../worker/replay/account.js';
import { localTime, plural, printable, timesIn } from './printable.js';

/** How a run stands at the end of its history. */
export function endOf({ state }: Account): { outcome: string | null; cause: string | null; detail: string | null } {
  if (!state || !('status' in state)) return { outcome: null, cause: null, detail: null };
  return { outcome: state.outcome ?? state.status, cause: state.cause, detail: state.detail };
}

/** @param bookkeeping also the events that only the engine needs */
export function accountText(account: Account, bookkeeping: boolean): string {
  const shown = account.events.filter(({ sentence }) => bookkeeping || sentence !== null);
  const lines: string[] = [`${account.workflowId}  (${account.type}, run ${account.runId})`, ''];
  shown.forEach((event, i) => {
    lines.push(eventLine(event));
    const state = stateText(event.state);
    // Said once, after the last of the events that share it.
    if (state !== stateText(shown[i + 1]?.state ?? null) && state !== '') lines.push(`${' '.repeat(26)}→ ${state}`);
  });
  lines.push('', endText(account), replayText(account), '');
  return lines.map((line) => printable(timesIn(line))).join('\n');
}

const eventLine = ({ id, atMs, type, sentence }: AccountEvent): string =>
  `${String(id).padStart(5)} ${localTime(new Date(atMs).toISOString())} ${sentence ?? `(${type})`}`;

function stateText(state: RunState | null): string {
  if (!state) return '';
  if (!('status' in state)) {
    return `${state.succeeded} succeeded, ${state.failed} failed, ${state.cancelled} cancelled`;
  }
  const step = state.step === null ? '' : `, step ${state.step}`;
  const more = state.waitingFor?.text ?? state.detail ?? '';
  return `${state.cause ?? state.outcome ?? state.status}${step}${more === '' ? '' : `: ${more}`}`;
}

function endText(account: Account): string {
  const { outcome, cause, detail } = endOf(account);
  if (outcome === null) return `In the end: ${stateText(account.state) || 'nothing had ended'}.`;
  return `In the end: ${outcome}${cause === null ? '' : `, cause ${cause}`}.${detail === null ? '' : ` ${detail}`}`;
}

const replayText = ({ replay }: Account): string =>
  replay.matches
    ? "It replays against this version's workflows: they would do the same again."
    : `It does NOT replay against this version's workflows: ${replay.mismatch ?? ''}`;

/** What many replays have in common. */
export function summaryText(accounts: readonly Account[]): string {
  const causes = new Map<string, number>();
  for (const account of accounts) {
    const cause = endOf(account).cause ?? 'no cause';
    causes.set(cause, (causes.get(cause) ?? 0) + 1);
  }
  const matches = accounts.filter(({ replay }) => replay.matches).length;
  const byCause = Array.from(causes, ([cause, count]) => `${cause} ${count}`).join(' · ');
  return `${plural(accounts.length, 'failed device update')} replayed, ${matches} as recorded.${byCause === '' ? '' : ` By cause: ${byCause}.`}\n`;
}
