import { Skeleton } from 'antd';
import { Link, useParams } from 'react-router';
import type { TaskDetailAnswer } from '../../../api/schemas.js';
import { firmwarePath, taskPath } from '../../app/paths.js';
import { CountsBar } from '../../components/counts-bar.js';
import { OutcomesChart } from '../../components/outcomes-chart.js';
import { PageHeader } from '../../components/page-header.js';
import { Panel } from '../../components/panel.js';
import { ProblemAlert } from '../../components/problem-alert.js';
import { TaskStatus } from '../../components/status.js';
import { Time } from '../../components/time.js';
import { useLiveTask } from '../../data/live.js';
import { useLatestMinutes, useTask, useTimeline } from '../../data/tasks.js';
import { useFormat } from '../../texts/format.js';
import { useTexts } from '../../texts/language.js';
import { DeviceUpdates } from './device-updates.js';
import { paceOf, runningSinceMs } from './pace.js';
import styles from './task-details-page.module.css';
import { TaskActions } from './task-actions.js';
import { TaskNotices } from './task-notices.js';

/** In the address: `tab`, `search`, `cause`. */
export function Component() {
  const { taskDetails: texts } = useTexts();
  const { taskId = '' } = useParams();
  useLiveTask(taskId);
  const query = useTask(taskId);
  if (query.error && !query.data) {
    return (
      <>
        <PageHeader title={texts.title} />
        <ProblemAlert error={query.error} onRetry={query.refetch} />
      </>
    );
  }
  // What was opened or ticked for one task is not for another.
  return query.data ? <Details key={taskId} task={query.data} /> : <Skeleton active />;
}

function Details({ task }: { task: TaskDetailAnswer }) {
  const { taskDetails: texts, words } = useTexts();
  const { firmware } = task;
  return (
    <>
      <PageHeader
        title={texts.of(words.taskKind[task.kind], `${firmware.name} ${firmware.version}`)}
        mark={<TaskStatus task={task} />}
        text={task.startedBy === null ? undefined : texts.startedBy(task.startedBy)}
        actions={<TaskActions task={task} />}
      />
      <TaskNotices task={task} />
      <div className={styles['grid']}>
        <Panel title={texts.progress}>
          <CountsBar counts={task.counts} legend />
          <Pace task={task} />
        </Panel>
        <Panel title={words.firmware}>
          <Facts task={task} />
        </Panel>
      </div>
      <div className={styles['stack']}>
        <Timeline taskId={task.id} />
        <DeviceUpdates task={task} />
      </div>
    </>
  );
}

function Facts({ task }: { task: TaskDetailAnswer }) {
  const { taskDetails: texts, words } = useTexts();
  const { firmware, workflow, reinitiates, sourceVersions } = task;
  return (
    <dl className={styles['facts']}>
      <dt>{words.firmware}</dt>
      <dd>
        <Link to={firmwarePath(firmware.id)}>{`${firmware.name} ${firmware.version}`}</Link>
      </dd>
      <dt>{texts.product}</dt>
      <dd>{firmware.productKey}</dd>
      {sourceVersions.length > 0 && (
        <>
          <dt>{texts.from}</dt>
          <dd>{sourceVersions.join(', ')}</dd>
        </>
      )}
      {reinitiates !== null && (
        <>
          <dt>{texts.again}</dt>
          <dd>
            <Link to={taskPath(reinitiates)}>{texts.before}</Link>
          </dd>
        </>
      )}
      <dt>{texts.created}</dt>
      <dd>
        <Time at={task.createdAt} />
      </dd>
      <dt>{texts.ended}</dt>
      <dd>
        <Time at={task.endedAt} />
      </dd>
      {workflow.url !== null && (
        <>
          <dt>{texts.run}</dt>
          <dd>
            <a href={workflow.url} target="_blank" rel="noreferrer">
              {texts.openRun}
            </a>
          </dd>
        </>
      )}
    </dl>
  );
}

/** How fast devices end, and how long those that are online will take at that speed; of an ended task, what it took. */
function Pace({ task }: { task: TaskDetailAnswer }) {
  const { taskDetails: texts } = useTexts();
  const format = useFormat();
  const isRunning = task.status === 'running';
  const timeline = useLatestMinutes(task.id, isRunning);
  const { counts, endedAt } = task;
  const sinceMs = runningSinceMs(task);
  const ended = counts.succeeded + counts.failed;
  if (endedAt !== null && sinceMs !== null && ended > 0) {
    const took = format.duration(Date.parse(endedAt) - sinceMs);
    return <p className={styles['pace']}>{texts.took(format.number(ended), took)}</p>;
  }
  if (!isRunning || !timeline.data) return null;
  const { perMinute, leftMs } = paceOf({ task, timeline: timeline.data });
  const open = counts.pending + counts.notified + counts.upgrading;
  const online = Math.min(timeline.data.online, open);
  const sentences = [
    ...(perMinute === null ? [] : [texts.throughput(format.number(Math.round(perMinute * 10) / 10))]),
    ...(leftMs === null ? [] : [texts.remaining(format.span(leftMs.from, leftMs.to), format.number(online))]),
    ...(open - online > 0 ? [texts.notOnline(format.number(open - online))] : []),
  ];
  return sentences.length === 0 ? null : <p className={styles['pace']}>{sentences.join(' · ')}</p>;
}

function Timeline({ taskId }: { taskId: string }) {
  const { frame } = useTexts();
  const { data } = useTimeline(taskId);
  const isEmpty =
    data?.points.every(({ succeeded, failed, cancelled }) => succeeded + failed + cancelled === 0) ?? true;
  if (!data || isEmpty) return null;
  return (
    <Panel title={frame.outcomesOverTime}>
      <OutcomesChart timeline={data} />
    </Panel>
  );
}
