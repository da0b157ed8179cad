import { Link } from 'react-router';
import type { OverviewAnswer } from '../../../api/schemas.js';
import { firmwarePath, taskPath } from '../../app/paths.js';
import { useTexts } from '../../texts/language.js';
import styles from './overview-page.module.css';

/** What goes no further without a person. */
export function Attention({ attention }: { attention: OverviewAnswer['attention'] }) {
  const { overview: texts } = useTexts();
  const { firmwareToValidate, tasksToReinitiate } = attention;
  if (firmwareToValidate.length + tasksToReinitiate.length === 0) {
    return <p className={styles['quiet']}>{texts.nothingWaits}</p>;
  }
  return (
    <ul className={styles['list']}>
      {tasksToReinitiate.map(({ id, firmware, counts }) => (
        <li key={id}>
          <Link to={taskPath(id)}>{texts.reinitiate(`${firmware.name} ${firmware.version}`, counts.failed)}</Link>
        </li>
      ))}
      {firmwareToValidate.map(({ id, name, version }) => (
        <li key={id}>
          <Link to={firmwarePath(id)}>{texts.validate(`${name} ${version}`)}</Link>
        </li>
      ))}
    </ul>
  );
}
