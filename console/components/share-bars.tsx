import type { ReactNode } from 'react';
import { useFormat } from '../texts/format.js';
import styles from './share-bars.module.css';

interface ShareBarsProps {
  readonly label: string;
  /** What the bars count; failures look like it. */
  readonly tone?: 'plain' | 'failed';
  readonly rows: readonly { readonly key: string; readonly name: ReactNode; readonly count: number }[];
}

/** A chart of shares, such as versions or causes: bars with their numbers, readable without seeing them. */
export function ShareBars({ label, rows, tone = 'plain' }: ShareBarsProps) {
  const format = useFormat();
  const total = rows.reduce((sum, { count }) => sum + count, 0);
  return (
    <ul className={styles['bars']} aria-label={label}>
      {rows.map(({ key, name, count }) => (
        <li key={key}>
          <span className={styles['name']}>{name}</span>
          <span className={styles['track']} aria-hidden>
            <span
              className={`${styles['share'] ?? ''} ${styles[tone] ?? ''}`}
              style={{ width: `${total === 0 ? 0 : (count / total) * 100}%` }}
            />
          </span>
          <span className={styles['count']}>
            {format.number(count)} <small>{format.percent(total === 0 ? 0 : count / total)}</small>
          </span>
        </li>
      ))}
    </ul>
  );
}
