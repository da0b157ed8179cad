import { Button, Select, type TableProps } from 'antd';
import { useMemo } from 'react';
import { Link } from 'react-router';
import type { TaskAnswer } from '../../../api/schemas.js';
import { firmwarePath, PATHS, taskPath } from '../../app/paths.js';
import { CountsBar } from '../../components/counts-bar.js';
import { Notice } from '../../components/notice.js';
import { PagedTable } from '../../components/paged-table.js';
import { PageHeader } from '../../components/page-header.js';
import { usePaging } from '../../components/paging.js';
import { TaskStatus } from '../../components/status.js';
import { Time } from '../../components/time.js';
import { useUrlState } from '../../components/url-state.js';
import { useTasks } from '../../data/tasks.js';
import { useTexts } from '../../texts/language.js';

/** Filters in the address: `kind`, `status`, `product`, `firmware`. */
export function Component() {
  const { tasks: texts } = useTexts();
  const [get, set] = useUrlState();
  const paging = usePaging();
  const columns = useTaskColumns();
  const filters = {
    kind: get('kind') as TaskAnswer['kind'] | undefined,
    status: get('status') as TaskAnswer['status'] | undefined,
    productKey: get('product'),
    firmwareId: get('firmware'),
  };
  const chosen = Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== undefined));
  const query = useTasks({ ...paging.page, ...chosen });
  const clear = () => set({ kind: undefined, status: undefined, product: undefined, firmware: undefined });
  return (
    <>
      <PageHeader title={texts.title} text={texts.text} actions={<Filters />} />
      <PagedTable
        label={texts.title}
        query={query}
        paging={paging}
        columns={columns}
        rowKey="id"
        empty={
          Object.keys(chosen).length > 0 ? (
            <Notice
              title={texts.noneFound}
              text={texts.noneFoundRemedy}
              action={<Button onClick={clear}>{texts.clear}</Button>}
            />
          ) : (
            <Notice
              title={texts.none}
              text={texts.noneRemedy}
              action={<Link to={PATHS.firmware}>{texts.toFirmware}</Link>}
            />
          )
        }
      />
    </>
  );
}

function Filters() {
  const { tasks: texts, words } = useTexts();
  const [get, set] = useUrlState();
  const options = (of: Readonly<Record<string, string>>) =>
    Object.entries(of).map(([value, label]) => ({ value, label }));
  return (
    <div role="search" style={{ display: 'flex', gap: 8, flexWrap: 'wrap' }}>
      <Select
        allowClear
        aria-label={texts.kind}
        placeholder={texts.anyKind}
        style={{ minWidth: 150 }}
        value={get('kind') ?? null}
        options={options(words.taskKind)}
        onChange={(kind: string | null | undefined) => set({ kind: kind ?? undefined })}
      />
      <Select
        allowClear
        aria-label={words.status}
        placeholder={texts.anyStatus}
        style={{ minWidth: 150 }}
        value={get('status') ?? null}
        options={options(words.taskStatus)}
        onChange={(status: string | null | undefined) => set({ status: status ?? undefined })}
      />
    </div>
  );
}

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
