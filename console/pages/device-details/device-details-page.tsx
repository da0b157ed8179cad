import { Skeleton } from 'antd';
import { Link, useParams } from 'react-router';
import type { DeviceDetailAnswer, DeviceHistoryEntryAnswer } from '../../../api/schemas.js';
import { taskPath } from '../../app/paths.js';
import { Notice } from '../../components/notice.js';
import { PagedTable } from '../../components/paged-table.js';
import { PageHeader } from '../../components/page-header.js';
import { usePaging } from '../../components/paging.js';
import { Panel } from '../../components/panel.js';
import { ProblemAlert } from '../../components/problem-alert.js';
import { DeviceUpdateStatus, Presence, WaitingFor } from '../../components/status.js';
import { Ago, Time } from '../../components/time.js';
import { useDevice, useDeviceHistory } from '../../data/devices.js';
import { useFormat } from '../../texts/format.js';
import { useTexts } from '../../texts/language.js';

export function Component() {
  const { deviceDetails: texts } = useTexts();
  const { productKey = '', deviceName = '' } = useParams();
  const query = useDevice(productKey, deviceName);
  if (query.error && !query.data) {
    return (
      <>
        <PageHeader title={texts.title} />
        <ProblemAlert error={query.error} onRetry={query.refetch} />
      </>
    );
  }
  return query.data ? <Details device={query.data} /> : <Skeleton active />;
}

function Details({ device }: { device: DeviceDetailAnswer }) {
  const { deviceDetails: texts } = useTexts();
  return (
    <>
      <PageHeader title={device.deviceName} mark={<Presence device={device} />} />
      <div style={{ display: 'grid', gridTemplateColumns: 'repeat(auto-fit, minmax(280px, 1fr))', gap: 16 }}>
        <Panel title={texts.facts}>
          <Facts device={device} />
        </Panel>
        <Panel title={texts.current}>
          {device.currentUpdate ? <Story update={device.currentUpdate} /> : texts.noCurrent}
        </Panel>
      </div>
      <div style={{ marginTop: 16 }}>
        <History device={device} />
      </div>
    </>
  );
}

function Facts({ device }: { device: DeviceDetailAnswer }) {
  const { deviceDetails: texts, words } = useTexts();
  const versions =
    device.modules.length === 0
      ? texts.unknown
      : device.modules.map(({ module, version }) => `${module} ${version}`).join(', ');
  const facts = [
    [texts.product, device.productKey],
    [texts.protocol, words.protocol[device.protocol]],
    [texts.versions, versions],
    [texts.lastSeen, <Ago key="seen" at={device.lastSeenAt} />],
    ...(device.revokedAt === null ? [] : [[words.revoked, <Revoked key="revoked" at={device.revokedAt} />] as const]),
    ...(device.lastRefusedSignIn
      ? [[texts.refusedSignIn, <Refused key="refused" of={device.lastRefusedSignIn} />] as const]
      : []),
    ...(device.nameClash ? [[texts.nameClash, <NameClash key="clash" of={device.nameClash} />] as const] : []),
    [texts.registered, <Time key="created" at={device.createdAt} />],
  ] as const;
  return (
    <dl style={{ display: 'grid', gridTemplateColumns: 'max-content 1fr', gap: '4px 16px', margin: 0 }}>
      {facts.map(([name, value]) => (
        <div key={name} style={{ display: 'contents' }}>
          <dt style={{ opacity: 0.75 }}>{name}</dt>
          <dd style={{ margin: 0 }}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Refused({ of: { at, reason, address } }: { of: NonNullable<DeviceDetailAnswer['lastRefusedSignIn']> }) {
  const { deviceDetails: texts } = useTexts();
  return (
    <>
      {texts.refusals[reason]} · <Time at={at} /> · {address}
    </>
  );
}

/** When the two units last took the connection from each other, and where they came from. */
function NameClash({ of: { at, addresses } }: { of: NonNullable<DeviceDetailAnswer['nameClash']> }) {
  return (
    <>
      <Time at={at} /> · {[...new Set(addresses)].join(', ')}
    </>
  );
}

function Revoked({ at }: { at: string }) {
  const { deviceDetails: texts } = useTexts();
  return (
    <>
      <Time at={at} /> · {texts.mayNotSignIn}
    </>
  );
}

/** One update from its acceptance to its end, in sentences. */
function Story({ update }: { update: DeviceHistoryEntryAnswer }) {
  const { deviceDetails: texts, words } = useTexts();
  const { kind, firmware, sourceVersions, taskId } = update;
  return (
    <>
      <p style={{ marginTop: 0 }}>
        <Link to={taskPath(taskId)} style={{ textDecoration: 'underline' }}>
          {texts.task(words.taskKind[kind], `${firmware.name} ${firmware.version}`)}
        </Link>{' '}
        <DeviceUpdateStatus update={update} />
        <br />
        <span style={{ color: 'var(--ferry-text-quiet)' }}>
          {[
            ...(sourceVersions.length === 0 ? [] : [texts.from(sourceVersions.join(', '))]),
            ...(firmware.module === 'default' ? [] : [`${words.module} ${firmware.module}`]),
            texts.attempt(update.attempt),
            ...(update.startedBy === null ? [] : [texts.startedBy(update.startedBy)]),
          ].join(' · ')}
        </span>
      </p>
      <Steps update={update} />
      {update.cause !== null && <strong>{words.cause[update.cause]}</strong>}
      {update.cancelledBy !== null && <strong>{texts.cancelledBy(update.cancelledBy)}</strong>}
      {update.detail !== null && <div lang="en">{update.detail}</div>}
      <WaitingFor waiting={update.waitingFor} />
    </>
  );
}

/** When each step was, to the second, and how long after the one before. */
function Steps({ update }: { update: DeviceHistoryEntryAnswer }) {
  const { deviceDetails: texts } = useTexts();
  const format = useFormat();
  const steps = [
    [texts.began, update.createdAt],
    [texts.notifiedTimes(update.notifications), update.notifiedAt],
    [texts.started, update.startedAt],
    [texts.ended, update.endedAt],
  ].flatMap(([name, at]) => (typeof name === 'string' && typeof at === 'string' ? [{ name, at }] : []));
  return (
    <ul style={{ paddingInlineStart: 20, marginBlock: 8 }}>
      {steps.map(({ name, at }, i) => {
        const before = steps[i - 1]?.at;
        const tookMs = before === undefined ? 0 : Date.parse(at) - Date.parse(before);
        return (
          <li key={name}>
            {name} <Time at={at} withSeconds />
            {tookMs >= 1_000 && <small> · {texts.after(format.duration(tookMs))}</small>}
          </li>
        );
      })}
    </ul>
  );
}

function History({ device: { productKey, deviceName } }: { device: DeviceDetailAnswer }) {
  const { deviceDetails: texts } = useTexts();
  const paging = usePaging(20);
  const query = useDeviceHistory(productKey, deviceName, paging.page);
  return (
    <PagedTable
      label={texts.history}
      query={query}
      paging={paging}
      rowKey={({ taskId }) => taskId}
      columns={[{ title: texts.history, key: 'story', render: (update) => <Story update={update} /> }]}
      empty={<Notice title={texts.none} text={texts.noneText} />}
    />
  );
}
