import { Button, Select } from 'antd';
import { Link } from 'react-router';
import type { TaskAnswer } from '../../../api/schemas.js';
import { PATHS } from '../../app/paths.js';
import { Notice } from '../../components/notice.js';
import { PagedTable } from '../../components/paged-table.js';
import { PageHeader } from '../../components/page-header.js';
import { usePaging } from '../../components/paging.js';
import { useUrlState } from '../../components/url-state.js';
import { useTasks } from '../../data/tasks.js';
import { useTexts } from '../../texts/language.js';
import { useTaskColumns } from './task-columns.js';

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
        rowKey={({ id }) => id}
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
