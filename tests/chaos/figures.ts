import type { ChaosResult } from './chaos.js';
import { KILLS } from './killer.js';

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

function spread(values: readonly number[]): string {
  if (values.length === 0) return '–';
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return `${seconds(middle)} (${seconds(sorted[0] ?? 0)}–${seconds(sorted.at(-1) ?? 0)})`;
}

/** What a chaos run found, as tables in Markdown: `docs/reliability.md` has one. */
export function figures(result: ChaosResult): string {
  const { recoveries, outcomes } = result;
  const kills = KILLS.map((kill) => {
    const of = recoveries.filter((recovery) => recovery.kill === kill);
    const reported = of.flatMap(({ reportMs }) => (reportMs === null ? [] : [reportMs]));
    return `| ${kill} | ${of.length} | ${spread(of.map(({ readyMs }) => readyMs))} | ${spread(reported)} |`;
  });
  const ends = Object.entries(outcomes).map(([end, count]) => `${count} ${end}`);
  return [
    `Seed ${result.seed}: ${recoveries.length} kills in ${result.seconds} s; ${result.devices} devices, ` +
      `${result.tasks} tasks, ${result.deviceUpdates} device updates (${ends.join(', ')}).`,
    '',
    '| killed | kills | every part up again: median (range) | next report acknowledged: median (range) |',
    '|---|---|---|---|',
    ...kills,
    '',
    `Reports: ${result.reportsSent} sent, ${result.reportsAcknowledged} acknowledged with a meaning to be kept; of the ` +
      `${result.recordedReports} that the records must still show, none is missing. ` +
      `${result.notifications} notifications received; ${result.cancels} cancellations requested just before a kill.`,
    `Promises broken: ${result.broken.length}.`,
  ].join('\n');
}
