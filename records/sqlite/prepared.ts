import { Column, is, sql, SQL, type Placeholder } from 'drizzle-orm';

/** What is bound to a statement's placeholders, by their names; undefined: the condition is left out. */
export type Bound = Readonly<Record<string, string | number | null | undefined>>;

type Columns = Readonly<Record<string, Column | SQL>>;

/** What a query selects: columns, or the columns of several tables, each table under a name; never both. */
type Fields = Columns | Readonly<Record<string, Columns>>;

/** A select of drizzle's. */
interface Query<Row> {
  all(): Row[];
  prepare(): { values(bound: Bound): unknown };
}

export interface Prepared<Row> {
  all(bound: Bound): Row[];
  first(bound: Bound): Row | undefined;
}

/**
 * A query that is built and prepared once. Rows are made here: drizzle's own mapping of a row takes as long as SQLite
 * takes to find it, and building the query anew longer than most queries run (docs/performance.md, 6).
 *
 * @param fields what the query selects
 */
export function prepared<Row>(fields: Fields, query: Query<Row>): Prepared<Row> {
  const statement = query.prepare();
  const read = rowReader(fields) as (values: readonly unknown[]) => Row;
  const all = (bound: Bound) => (statement.values(bound) as unknown[][]).map(read);
  return { all, first: (bound) => all(bound)[0] };
}

/** Adds a condition if its value is given; the condition is made of the value's placeholder. */
export type Given = (name: string, condition: (value: Placeholder) => SQL | undefined) => SQL | undefined;

/**
 * A query with conditions that may be left out. Each combination of them is built and prepared when it is first asked
 * for, so that each has the plan that fits it; there are as many as the filter has, not as many as there are requests.
 */
export function preparedByShape<Row>(fields: Fields, build: (given: Given) => Query<Row>): Prepared<Row> {
  const byShape = new Map<string, Prepared<Row>>();
  const ofShape = (bound: Bound): Prepared<Row> => {
    let shape = '';
    for (const name in bound) if (bound[name] !== undefined) shape += `${name} `;
    let statement = byShape.get(shape);
    if (!statement) {
      statement = prepared(
        fields,
        build((name, condition) => (bound[name] === undefined ? undefined : condition(sql.placeholder(name)))),
      );
      byShape.set(shape, statement);
    }
    return statement;
  };
  return { all: (bound) => ofShape(bound).all(bound), first: (bound) => ofShape(bound).first(bound) };
}

/**
 * Any of the values of a JSON array that is bound: one statement, however many there are, where a list of placeholders
 * would be a statement for each length.
 */
export const among = (column: Column, json: Placeholder): SQL =>
  sql`${column} IN (SELECT value FROM json_each(${json}))`;

type Row = Record<string, unknown>;

const isLeaf = (field: Fields[string]): field is Column | SQL => is(field, Column) || is(field, SQL);

const areColumns = (fields: Fields): fields is Columns => Object.values<Fields[string]>(fields).every(isLeaf);

/** Reads a row's values, in the order of the fields, as the members of an object. */
function rowReader(fields: Fields): (values: readonly unknown[]) => Row {
  if (areColumns(fields)) return membersReader(fields, 0);
  let from = 0;
  const tables = Object.entries(fields).map(([name, columns]) => {
    const read = membersReader(columns, from);
    from += Object.keys(columns).length;
    return { name, read };
  });
  return (values) => {
    const row: Row = {};
    for (const { name, read } of tables) row[name] = read(values);
    return row;
  };
}

function membersReader(fields: Columns, from: number) {
  const names = Object.keys(fields);
  const decoders = Object.values(fields).map(decoderOf);
  return (values: readonly unknown[]): Row => {
    const row: Row = {};
    for (let i = 0; i < names.length; i++) {
      const value = values[from + i];
      const decode = decoders[i];
      row[names[i] as string] = decode && value !== null ? decode(value) : value;
    }
    return row;
  };
}

/** Undefined where SQLite's value is the member's. */
function decoderOf(field: Column | SQL): ((value: unknown) => unknown) | undefined {
  if (!is(field, Column)) return undefined;
  if (field.dataType === 'boolean') return (value) => value === 1;
  return field.dataType === 'json' ? (value) => JSON.parse(value as string) as unknown : undefined;
}
