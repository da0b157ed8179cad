import { Link } from 'react-router';
import type { OverviewAnswer } from '../../../api/schemas.js';
import { devicePath, taskPath } from '../../app/paths.js';
import { ShareBars } from '../../components/share-bars.js';
import { Ago } from '../../components/time.js';
import { useTexts } from '../../texts/language.js';
import styles from './overview-page.module.css';

/** By cause, and the latest one by one. */
export function Failures({ failures }: Pick<OverviewAnswer, 'failures'>) {
  const { overview: texts, words } = useTexts();
  if (failures.byCause.length === 0) return <p className={styles['quiet']}>{texts.noFailures}</p>;
  return (
    <>
      <ShareBars
        label={texts.failures}
        tone="failed"
        rows={failures.byCause.map(({ cause, count }) => ({ key: cause, name: words.cause[cause], count }))}
      />
      <h3 className={styles['latest']}>{texts.latestFailures}</h3>
      <ul className={styles['list']}>
        {failures.latest.slice(0, 5).map((update) => (
          <li key={`${update.taskId}/${update.deviceName}`}>
            <div className={styles['row']}>
              <Link to={devicePath(update)}>{update.deviceName}</Link>
              <Link to={taskPath(update.taskId)} className={styles['quiet']}>
                <Ago at={update.endedAt} />
              </Link>
            </div>
            <div className={styles['quiet']}>{update.cause && words.cause[update.cause]}</div>
          </li>
        ))}
      </ul>
    </>
  );
}
