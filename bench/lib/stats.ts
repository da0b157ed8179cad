import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';

/** One figure over several runs. */
export interface Cell {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

export function cellOf(values: readonly number[]): Cell {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
  const other = sorted[Math.ceil((sorted.length - 1) / 2)] ?? NaN;
  return { median: (middle + other) / 2, lowest: sorted[0] ?? NaN, highest: sorted.at(-1) ?? NaN };
}

export const percentile = (values: readonly number[], part: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? NaN;

/** A cell of every member, over runs that have the same members. */
export function cellsOf<T extends Readonly<Record<string, number>>>(runs: readonly T[]): Record<keyof T, Cell> {
  const names = Object.keys(runs[0] ?? {}) as (keyof T)[];
  return Object.fromEntries(names.map((name) => [name, cellOf(runs.map((run) => run[name] as number))])) as Record<
    keyof T,
    Cell
  >;
}

const short = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);

export const textOf = ({ median, lowest, highest }: Cell): string =>
  lowest === highest ? short(median) : `${short(median)} (${short(lowest)}–${short(highest)})`;

/** One row for each thing that was compared. */
export function tableOf(title: string, rows: Readonly<Record<string, Readonly<Record<string, Cell>>>>): string {
  const columns = [...new Set(Object.values(rows).flatMap((cells) => Object.keys(cells)))];
  const table = new Table({ head: ['', ...columns], style: { head: [], border: [] } });
  for (const [name, cells] of Object.entries(rows)) {
    table.push([name, ...columns.map((column) => (cells[column] ? textOf(cells[column]) : ''))]);
  }
  return `\n${title}\n${table.toString()}\n`;
}

/** Under `bench/results/`, with the machine that it was measured on. */
export function writeResult(folder: string, name: string, result: unknown): void {
  mkdirSync(folder, { recursive: true });
  const machine = {
    cpus: cpus().length,
    model: cpus()[0]?.model,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
  };
  const text = JSON.stringify({ name, at: new Date().toISOString(), machine, result }, null, 2);
  writeFileSync(join(folder, `${name}.json`), `${text}\n`);
}
