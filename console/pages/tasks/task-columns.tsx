import type { TableProps } from 'antd';
import { useMemo } from 'react';
import { Link } from 'react-router';
import type { TaskAnswer } from '../../../api/schemas.js';
import { firmwarePath, taskPath } from '../../app/paths.js';
import { CountsBar } from '../../components/counts-bar.js';
import { TaskStatus } from '../../components/status.js';
import { Time } from '../../components/time.js';
import { useTexts } from '../../texts/language.js';

/** Also for the tasks of one firmware. */
export function useTaskColumns(): NonNullable<TableProps<TaskAnswer>['columns']> {
  const { tasks: texts, words } = useTexts();
  return useMemo(
    () => [
      {
        title: texts.kind,
        key: 'kind',
        render: (_, { id, kind, reinitiates }) => (
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
      { title: words.status, key: 'status', render: (_, { status }) => <TaskStatus status={status} /> },
      {
        title: words.firmware,
        key: 'firmware',
        render: (_, { firmware, sourceVersions }) => (
          <>
            <Link to={firmwarePath(firmware.id)}>{`${firmware.name} ${firmware.version}`}</Link>
            <div style={{ opacity: 0.75 }}>
              {firmware.productKey}
              {sourceVersions.length > 0 && ` · ${sourceVersions.join(', ')}`}
            </div>
          </>
        ),
      },
      {
        title: texts.progress,
        key: 'progress',
        width: 280,
        render: (_, { counts }) => <CountsBar counts={counts} legend />,
      },
      {
        title: texts.started,
        key: 'started',
        responsive: ['md'],
        render: (_, { createdAt, startedBy }) => (
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
