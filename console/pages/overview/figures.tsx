import type { OverviewAnswer } from '../../../api/schemas.js';
import { useFormat } from '../../texts/format.js';
import { useTexts } from '../../texts/language.js';
import styles from './overview-page.module.css';

/** The fleet in four numbers. */
export function Figures({ overview: { devices, failures } }: { overview: OverviewAnswer }) {
  const { overview: texts } = useTexts();
  const format = useFormat();
  const failed = failures.byCause.reduce((sum, { count }) => sum + count, 0);
  const figures = [
    [texts.devices, devices.total, ''],
    [texts.online, devices.online, styles['good']],
    [texts.offline, devices.offline, ''],
    [texts.failures, failed, failed > 0 ? styles['bad'] : ''],
  ] as const;
  return (
    <dl className={styles['figures']}>
      {figures.map(([name, value, look]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className={look}>{format.number(value)}</dd>
        </div>
      ))}
    </dl>
  );
}
