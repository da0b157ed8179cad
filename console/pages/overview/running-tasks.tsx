import { Link } from 'react-router';
import type { TaskAnswer } from '../../../api/schemas.js';
import { PATHS, taskPath } from '../../app/paths.js';
import { CountsBar } from '../../components/counts-bar.js';
import { Notice } from '../../components/notice.js';
import { TaskStatus } from '../../components/status.js';
import { Ago } from '../../components/time.js';
import { useFormat } from '../../texts/format.js';
import { useTexts } from '../../texts/language.js';
import styles from './overview-page.module.css';

export function RunningTasks({ tasks }: { tasks: readonly TaskAnswer[] }) {
  const { overview: texts, words } = useTexts();
  const format = useFormat();
  if (tasks.length === 0) {
    const action = <Link to={PATHS.firmware}>{texts.toFirmware}</Link>;
    return <Notice title={texts.noTasks} text={texts.noTasksRemedy} action={action} />;
  }
  return (
    <ul className={styles['list']}>
      {tasks.map((task) => {
        const { counts } = task;
        const ended = counts.succeeded + counts.failed + counts.cancelled;
        return (
          <li key={task.id}>
            <div className={styles['row']}>
              <span>
                <Link to={taskPath(task.id)}>
                  {texts.task(words.taskKind[task.kind], `${task.firmware.name} ${task.firmware.version}`)}
                </Link>{' '}
                <TaskStatus task={task} />
              </span>
              <span className={styles['quiet']}>
                {format.number(ended)} / {texts.devicesOf(counts.total)} · <Ago at={task.startedAt ?? task.createdAt} />
              </span>
            </div>
            <CountsBar counts={counts} legend />
          </li>
        );
      })}
    </ul>
  );
}
