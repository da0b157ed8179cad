import { useMemo } from 'react';
import { Link } from 'react-router';
import type { TaskAnswer } from '../../../api/schemas.js';
import { firmwarePath, taskPath } from '../../app/paths.js';
import { Clip } from '../../components/clip.js';
import { CountsBar } from '../../components/counts-bar.js';
import type { Column } from '../../components/data-table.js';
import { TaskStatus } from '../../components/status.js';
import { Time } from '../../components/time.js';
import { useTexts } from '../../texts/language.js';

/** Also for the tasks of one firmware. */
export function useTaskColumns(): readonly Column<TaskAnswer>[] {
  const { tasks: texts, words } = useTexts();
  return useMemo(
    () => [
      {
        title: texts.kind,
        key: 'kind',
        render: ({ id, kind, reinitiates }) => (
          <>
            <Link to={taskPath(id)}>{words.taskKind[kind]}</Link>
            {reinitiates !== null && (
              <div>
                <Link to={taskPath(reinitiates)}>{texts.again}</Link>
              </div>
            )}
          </>
        ),
      },
      { title: words.status, key: 'status', render: (task) => <TaskStatus task={task} /> },
      {
        title: words.firmware,
        key: 'firmware',
        render: ({ firmware, sourceVersions }) => (
          <>
            <Clip text={`${firmware.name} ${firmware.version}`}>
              <Link to={firmwarePath(firmware.id)}>{`${firmware.name} ${firmware.version}`}</Link>
            </Clip>
            <div style={{ opacity: 0.75 }}>
              <Clip text={[firmware.productKey, ...sourceVersions].join(' · ')} />
            </div>
          </>
        ),
      },
      {
        title: texts.progress,
        key: 'progress',
        render: ({ counts }) => <CountsBar counts={counts} legend />,
      },
      {
        title: texts.started,
        key: 'started',
        from: 'lg',
        render: ({ createdAt, startedBy }) => (
          <>
            <Time at={createdAt} />
            {startedBy !== null && <div style={{ opacity: 0.75 }}>{texts.by(startedBy)}</div>}
          </>
        ),
      },
    ],
    [texts, words],
  );
}
