import type { TaskAnswer } from '../../api/schemas.js';
import { useFormat } from '../texts/format.js';
import { useTexts } from '../texts/language.js';
import styles from './counts-bar.module.css';

/** In the order of a device's way, the ended ones first. */
const STATES = ['succeeded', 'failed', 'cancelled', 'upgrading', 'notified', 'pending'] as const;

interface CountsBarProps {
  readonly counts: TaskAnswer['counts'];
  /** Names the states and their numbers below the bar. */
  readonly legend?: boolean;
}

/** The device updates of a task by where they stand, as one bar. */
export function CountsBar({ counts, legend = false }: CountsBarProps) {
  const { words } = useTexts();
  const format = useFormat();
  const shown = STATES.filter((state) => counts[state] > 0);
  const text = shown.map((state) => `${words.count[state]} ${format.number(counts[state])}`);
  return (
    <div>
      <div className={styles['bar']} role="img" aria-label={format.list(text)}>
        {shown.map((state) => (
          <span
            key={state}
            className={styles[state]}
            style={{ flexGrow: counts[state] }}
            title={`${words.count[state]} ${format.number(counts[state])}`}
          />
        ))}
      </div>
      {legend && (
        <ul className={styles['legend']}>
          {shown.map((state) => (
            <li key={state}>
              <i className={styles[state]} />
              {words.count[state]} <strong>{format.number(counts[state])}</strong>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
