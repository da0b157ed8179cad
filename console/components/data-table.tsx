import { useEffect, useRef, type ReactNode } from 'react';
import { useTexts } from '../texts/language.js';
import styles from './data-table.module.css';

export interface Column<T> {
  readonly key: string;
  readonly title: string;
  readonly render: (row: T) => ReactNode;
  /** Shown from this width of the window on, `lg` also on a phone, whose cards have the place; without it always. */
  readonly from?: 'lg' | 'xl';
  /** Whole sentences: a card shows them without the column's name. */
  readonly isPlain?: boolean;
  /** Actions stay in view at the end of the row, however wide the others are. */
  readonly isActions?: boolean;
}

interface Selection {
  readonly selected: readonly string[];
  /** The ticks stay as they are. */
  readonly isLocked?: boolean;
  readonly onChange: (selected: readonly string[]) => void;
}

interface DataTableProps<T> {
  /** What the rows are, for those who don't see the table. */
  readonly label: string;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  readonly rowKey: (row: T) => string;
  /** These rows are shown until others are there. */
  readonly isLoading?: boolean;
  /** Taller content scrolls. */
  readonly maxHeight?: number;
  /** Rows can be ticked, by their keys. */
  readonly selection?: Selection | undefined;
}

/** A table on a wide screen, cards on a phone. (The library's Table brings menus, trees and pickers along.) */
export function DataTable<T>(props: DataTableProps<T>) {
  const { label, columns, rows, rowKey, isLoading = false, maxHeight, selection } = props;
  const classOf = ({ from, isActions, isPlain }: Column<T>) =>
    [from && styles[from], isActions === true && styles['actions'], isPlain === true && styles['plain']]
      .filter(Boolean)
      .join(' ');
  return (
    // What scrolls can be reached by keyboard, also where it holds nothing that takes the focus.
    <div className={styles['scroll']} {...(maxHeight !== undefined && { style: { maxHeight }, tabIndex: 0 })}>
      {/* Cards are no table for a browser: the roles say what they are. */}
      <table className={styles['table']} role="table" aria-label={label} aria-busy={isLoading}>
        <thead role="rowgroup">
          <tr role="row">
            {selection && (
              <th role="columnheader" scope="col" className={styles['tick']}>
                <TickAll keys={rows.map(rowKey)} selection={selection} />
              </th>
            )}
            {columns.map((column) => (
              <th key={column.key} role="columnheader" scope="col" className={classOf(column)}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr key={rowKey(row)} role="row">
              {selection && (
                <td role="cell" className={styles['tick']}>
                  <Tick name={rowKey(row)} selection={selection} />
                </td>
              )}
              {columns.map((column) => (
                <td key={column.key} role="cell" data-title={column.title} className={classOf(column)}>
                  <div className={styles['value']}>{column.render(row)}</div>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Tick({ name, selection: { selected, isLocked, onChange } }: { name: string; selection: Selection }) {
  const isTicked = selected.includes(name);
  return (
    <input
      type="checkbox"
      aria-label={name}
      checked={isTicked}
      disabled={isLocked}
      onChange={() => onChange(isTicked ? selected.filter((one) => one !== name) : [...selected, name])}
    />
  );
}

/** Ticks the rows that are shown; others keep their ticks. */
function TickAll({
  keys,
  selection: { selected, isLocked, onChange },
}: {
  keys: readonly string[];
  selection: Selection;
}) {
  const { frame } = useTexts();
  const box = useRef<HTMLInputElement>(null);
  const ticked = keys.filter((key) => selected.includes(key)).length;
  const isAll = ticked > 0 && ticked === keys.length;
  useEffect(() => {
    if (box.current) box.current.indeterminate = ticked > 0 && !isAll;
  }, [ticked, isAll]);
  const others = selected.filter((key) => !keys.includes(key));
  return (
    <input
      ref={box}
      type="checkbox"
      aria-label={frame.selectPage}
      checked={isAll}
      disabled={isLocked}
      onChange={() => onChange(isAll ? others : [...others, ...keys])}
    />
  );
}
