import { getTableColumns, getTableName } from 'drizzle-orm';
import type { SQLiteColumn, SQLiteTable } from 'drizzle-orm/sqlite-core';

/** Rows of one table, read from a raw statement. */
export interface RowReader<Row> {
  /** For the SELECT list. */
  readonly columns: string;
  /** How many values of the raw row are this table's. */
  readonly width: number;
  /** @param from the place of the table's first value in the raw row */
  read(values: readonly unknown[], from?: number): Row;
}

type Convert = (value: unknown) => unknown;

/**
 * Reads rows as the query builder does, without its work at each row: for statements on the way of every report. Only
 * booleans and JSON are stored as something else than what they are.
 */
export function rowReader<Table extends SQLiteTable>(table: Table): RowReader<Table['$inferSelect']> {
  const columns = Object.entries<SQLiteColumn>(getTableColumns(table));
  const keys = columns.map(([key]) => key);
  const converts = columns.map(([, { dataType }]) => converterOf(dataType));
  return {
    columns: columns.map(([, { name }]) => `"${getTableName(table)}"."${name}"`).join(', '),
    width: keys.length,
    read(values, from = 0) {
      const row: Record<string, unknown> = {};
      for (let i = 0; i < keys.length; i++) {
        const [value, convert] = [values[from + i], converts[i]];
        row[keys[i] ?? ''] = convert && value !== null ? convert(value) : value;
      }
      return row;
    },
  };
}

function converterOf(dataType: string): Convert | undefined {
  if (dataType === 'boolean') return (value) => value === 1;
  if (dataType === 'json') return (value) => JSON.parse(value as string) as unknown;
  return undefined;
}
