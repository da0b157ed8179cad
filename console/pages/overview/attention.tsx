import { Link } from 'react-router';
import type { OverviewAnswer } from '../../../api/schemas.js';
import { firmwarePath, taskPath } from '../../app/paths.js';
import { Ago } from '../../components/time.js';
import { useTexts } from '../../texts/language.js';
import { UploadAgain } from '../dialogs/upload-again.js';
import styles from './overview-page.module.css';

/** What goes no further without a person. */
export function Attention({ attention }: { attention: OverviewAnswer['attention'] }) {
  const { overview: texts, words } = useTexts();
  const { tasksToApprove, tasksPaused, tasksToReinitiate, firmwareToValidate } = attention;
  if (tasksPaused.length + tasksToApprove.length + tasksToReinitiate.length + firmwareToValidate.length === 0) {
    return <p className={styles['quiet']}>{texts.nothingWaits}</p>;
  }
  return (
    <ul className={styles['list']}>
      {tasksPaused.map(({ id, kind, firmware, pausedAt }) => (
        <li key={id}>
          <Link to={taskPath(id)}>{texts.paused(`${firmware.name} ${firmware.version}`)}</Link>
          <div className={styles['quiet']}>
            {words.taskKind[kind]} · <Ago at={pausedAt} />
          </div>
          <UploadAgain firmware={firmware} />
        </li>
      ))}
      {tasksToApprove.map(({ id, kind, firmware, counts, startedBy, createdAt }) => (
        <li key={id}>
          <Link to={taskPath(id)}>{texts.approve(`${firmware.name} ${firmware.version}`, counts.total)}</Link>
          <div className={styles['quiet']}>
            {words.taskKind[kind]}
            {startedBy !== null && ` · ${startedBy}`} · <Ago at={createdAt} />
          </div>
        </li>
      ))}
      {tasksToReinitiate.map(({ id, kind, firmware, counts, endedAt }) => (
        <li key={id}>
          <Link to={taskPath(id)}>{texts.reinitiate(`${firmware.name} ${firmware.version}`, counts.failed)}</Link>
          <div className={styles['quiet']}>
            {words.taskKind[kind]} · <Ago at={endedAt} />
          </div>
        </li>
      ))}
      {firmwareToValidate.map(({ id, name, version, createdAt }) => (
        <li key={id}>
          <Link to={firmwarePath(id)}>{texts.validate(`${name} ${version}`)}</Link>
          <div className={styles['quiet']}>
            <Ago at={createdAt} />
          </div>
        </li>
      ))}
    </ul>
  );
}
