import { Link } from 'react-router';
import type { OverviewAnswer } from '../../../api/schemas.js';
import { PATHS } from '../../app/paths.js';
import { Notice } from '../../components/notice.js';
import { ShareBars } from '../../components/share-bars.js';
import { useTexts } from '../../texts/language.js';
import styles from './overview-page.module.css';

/** What runs on the devices, product by product. */
export function Versions({ products }: Pick<OverviewAnswer, 'products'>) {
  const { overview: texts } = useTexts();
  const inUse = products.filter(({ devices }) => devices.total > 0);
  if (inUse.length === 0) {
    const action = <Link to={PATHS.devices}>{texts.toDevices}</Link>;
    return <Notice title={texts.noDevices} text={texts.noDevicesRemedy} action={action} />;
  }
  return (
    <ul className={styles['list']}>
      {inUse.map(({ productKey, name, devices, versions }) => (
        <li key={productKey}>
          <div className={styles['row']}>
            <Link to={`${PATHS.devices}?product=${encodeURIComponent(productKey)}`}>{name}</Link>
            <span className={styles['quiet']}>{texts.devicesOf(devices.total)}</span>
          </div>
          <ShareBars
            label={`${texts.versions}: ${name}`}
            rows={versions.map(({ version, devices: count }) => ({
              key: version ?? '',
              name: version ?? <em>{texts.versionUnknown}</em>,
              count,
            }))}
          />
        </li>
      ))}
    </ul>
  );
}
