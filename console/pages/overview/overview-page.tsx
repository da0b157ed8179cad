import { Skeleton } from 'antd';
import type { OverviewAnswer } from '../../../api/schemas.js';
import { PageHeader } from '../../components/page-header.js';
import { Panel } from '../../components/panel.js';
import { ProblemAlert } from '../../components/problem-alert.js';
import { useOverview } from '../../data/overview.js';
import { useTexts } from '../../texts/language.js';
import { Attention } from './attention.js';
import { Failures } from './failures.js';
import { Figures } from './figures.js';
import styles from './overview-page.module.css';
import { RunningTasks } from './running-tasks.js';
import { Versions } from './versions.js';

export function Component() {
  const { overview: texts } = useTexts();
  const overview = useOverview();
  return (
    <>
      <PageHeader title={texts.title} />
      {overview.data ? (
        <Cards overview={overview.data} />
      ) : overview.error ? (
        <ProblemAlert error={overview.error} onRetry={overview.refetch} />
      ) : (
        <Skeleton active paragraph={{ rows: 8 }} />
      )}
    </>
  );
}

function Cards({ overview }: { overview: OverviewAnswer }) {
  const { overview: texts } = useTexts();
  return (
    <div className={styles['cards']}>
      <Figures overview={overview} />
      <div className={styles['main']}>
        <Panel className={styles['tasks']} title={texts.runningTasks}>
          <RunningTasks tasks={overview.openTasks} />
        </Panel>
        <Panel className={styles['versions']} title={texts.versions}>
          <Versions products={overview.products} />
        </Panel>
      </div>
      <div className={styles['side']}>
        <Panel className={styles['attention']} title={texts.attention}>
          <Attention attention={overview.attention} />
        </Panel>
        <Panel className={styles['failures']} title={texts.failures}>
          <Failures failures={overview.failures} />
        </Panel>
      </div>
    </div>
  );
}
