import { Button, Segmented, Select } from 'antd';
import { useMemo, useState } from 'react';
import { Link } from 'react-router';
import type { DeviceUpdateQuery } from '../../../api/client-core.js';
import type { DeviceUpdateAnswer, TaskDetailAnswer } from '../../../api/schemas.js';
import { devicePath } from '../../app/paths.js';
import { ActionButton } from '../../components/action-button.js';
import { Clip } from '../../components/clip.js';
import { ConfirmDestructive } from '../../components/confirm-destructive.js';
import type { Column } from '../../components/data-table.js';
import { Notice } from '../../components/notice.js';
import { PagedTable } from '../../components/paged-table.js';
import { usePaging } from '../../components/paging.js';
import { Panel } from '../../components/panel.js';
import { SearchBox } from '../../components/search-box.js';
import { DeviceUpdateStatus, WaitingFor } from '../../components/status.js';
import { Time } from '../../components/time.js';
import { useUrlState } from '../../components/url-state.js';
import { deviceUpdatesCsvUrl, useCancelDeviceUpdate, useDeviceUpdates } from '../../data/tasks.js';
import { useFormat } from '../../texts/format.js';
import { useTexts } from '../../texts/language.js';
import { Reinitiate } from './task-actions.js';
import styles from './task-details-page.module.css';

/** What each tab asks the server for. */
const TABS = {
  all: {},
  pending: { status: 'pending' },
  notified: { status: 'notified' },
  upgrading: { status: 'upgrading' },
  failed: { outcome: 'failed' },
  succeeded: { outcome: 'succeeded' },
  cancelled: { status: 'cancelled' },
} as const satisfies Record<string, Partial<DeviceUpdateQuery>>;
type Tab = keyof typeof TABS;

const isTab = (name: string | undefined): name is Tab => name !== undefined && name in TABS;

/** The device updates of the task, by where they stand. */
export function DeviceUpdates({ task }: { task: TaskDetailAnswer }) {
  const { taskDetails: texts, words } = useTexts();
  const format = useFormat();
  const [get, set] = useUrlState();
  const tab = isTab(get('tab')) ? (get('tab') as Tab) : 'all';
  const count = (name: Tab) => (name === 'all' ? task.counts.total : task.counts[name]);
  return (
    <Panel>
      <div style={{ overflowX: 'auto' }}>
        <Segmented<Tab>
          aria-label={words.status}
          value={tab}
          onChange={(name) => set({ tab: name, cause: undefined }, { push: true })}
          options={(Object.keys(TABS) as Tab[]).map((name) => ({
            value: name,
            label: `${texts.tabs[name]} ${format.number(count(name))}`,
          }))}
        />
      </div>
      <List key={tab} task={task} tab={tab} />
    </Panel>
  );
}

function List({ task, tab }: { task: TaskDetailAnswer; tab: Tab }) {
  const { taskDetails: texts } = useTexts();
  const [get] = useUrlState();
  const paging = usePaging();
  const [selected, setSelected] = useState<readonly string[]>([]);
  const [toCancel, setToCancel] = useState<string>();
  const cancel = useCancelDeviceUpdate(task.id);
  const [search, cause] = [get('search'), get('cause')];
  const filter = {
    ...TABS[tab],
    ...(search !== undefined && { search }),
    ...(tab === 'failed' && cause !== undefined && { cause: cause as NonNullable<DeviceUpdateAnswer['cause']> }),
  };
  const query = useDeviceUpdates(task.id, { ...paging.page, ...filter });
  const columns = useColumns(tab, setToCancel);
  return (
    <>
      <div className={styles['tools']} role="search">
        <SearchBox className={styles['search']} label={texts.search} />
        {tab === 'failed' && <Causes task={task} />}
        <Button href={deviceUpdatesCsvUrl(task.id, filter)} download>
          {texts.csv}
        </Button>
        {tab === 'failed' && selected.length > 0 && <Reinitiate task={task} deviceNames={selected} />}
      </div>
      <PagedTable
        label={texts.tabs[tab]}
        query={query}
        paging={paging}
        columns={columns}
        rowKey={({ deviceName }) => deviceName}
        selection={tab === 'failed' ? { selected, onChange: setSelected } : undefined}
        empty={<Notice title={texts.none} text={texts.noneText} />}
      />
      <ConfirmDestructive
        open={toCancel !== undefined}
        title={texts.cancelDeviceTitle(toCancel ?? '')}
        text={texts.cancelDeviceText}
        devices={1}
        action={texts.cancelDevice}
        onConfirm={() => cancel.mutateAsync(toCancel ?? '')}
        onClose={() => setToCancel(undefined)}
      />
    </>
  );
}

/** The failures in groups, each with its number. */
function Causes({ task }: { task: TaskDetailAnswer }) {
  const { taskDetails: texts, words } = useTexts();
  const [get, set] = useUrlState();
  const causes = Object.entries(task.failuresByCause) as [NonNullable<DeviceUpdateAnswer['cause']>, number][];
  return (
    <Select
      allowClear
      aria-label={texts.cause}
      placeholder={texts.allCauses}
      style={{ minWidth: 240 }}
      value={get('cause') ?? null}
      options={causes.map(([cause, count]) => ({ value: cause, label: `${words.cause[cause]} (${count})` }))}
      onChange={(cause: string | null | undefined) => set({ cause: cause ?? undefined })}
    />
  );
}

function useColumns(tab: Tab, askCancel: (deviceName: string) => void): readonly Column<DeviceUpdateAnswer>[] {
  const { taskDetails: texts, words, frame } = useTexts();
  return useMemo(() => {
    const isOpen = (update: DeviceUpdateAnswer) => update.status !== 'completed' && update.status !== 'cancelled';
    return [
      {
        title: words.device,
        key: 'device',
        render: (update) => (
          <Clip text={update.deviceName}>
            <Link to={devicePath(update)}>{update.deviceName}</Link>
          </Clip>
        ),
      },
      { title: words.status, key: 'status', render: (update) => <DeviceUpdateStatus update={update} /> },
      {
        title: tab === 'failed' ? texts.cause : texts.story,
        key: 'story',
        isPlain: true,
        render: (update) =>
          isOpen(update) ? (
            <WaitingFor waiting={update.waitingFor} />
          ) : (
            <>
              {update.cause !== null && <strong>{words.cause[update.cause]}</strong>}
              {update.detail !== null && <div lang="en">{update.detail}</div>}
            </>
          ),
      },
      { title: texts.attempt, key: 'attempt', from: 'xl', render: ({ attempt }) => attempt },
      {
        title: texts.lastTime,
        key: 'time',
        from: 'xl',
        render: (update) => (
          <Time at={update.endedAt ?? update.lastProgressAt ?? update.notifiedAt ?? update.createdAt} withSeconds />
        ),
      },
      {
        key: 'actions',
        title: frame.actions,
        isActions: true,
        render: (update) =>
          isOpen(update) && (
            <ActionButton
              permission="tasks:run"
              size="small"
              reason={update.cancelRequestedAt === null ? undefined : texts.cancelUnderWay}
              onClick={() => askCancel(update.deviceName)}
            >
              {texts.cancelDevice}
            </ActionButton>
          ),
      },
    ];
  }, [tab, askCancel, texts, words, frame]);
}
