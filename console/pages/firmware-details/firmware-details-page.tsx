import { Alert, Skeleton } from 'antd';
import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import type { FirmwareDetailAnswer } from '../../../api/schemas.js';
import { PATHS, taskPath } from '../../app/paths.js';
import { ActionButton } from '../../components/action-button.js';
import { Notice } from '../../components/notice.js';
import { PagedTable } from '../../components/paged-table.js';
import { PageHeader } from '../../components/page-header.js';
import { usePaging } from '../../components/paging.js';
import { Panel } from '../../components/panel.js';
import { ProblemAlert } from '../../components/problem-alert.js';
import { FirmwareStatus } from '../../components/status.js';
import { TrustUndecidedAlert, TrustUndecidedMark } from '../../components/trust-undecided.js';
import { Time } from '../../components/time.js';
import { useFirmware } from '../../data/firmware.js';
import { useProductOf } from '../../data/products.js';
import { useTasks } from '../../data/tasks.js';
import { useFormat } from '../../texts/format.js';
import { useTexts } from '../../texts/language.js';
import { FirmwareDialogs, type Asked } from '../dialogs/firmware-dialogs.js';
import { UploadAgain } from '../dialogs/upload-again.js';
import { useTaskColumns } from '../tasks/task-columns.js';

export function Component() {
  const { firmwareDetails: texts } = useTexts();
  const { firmwareId = '' } = useParams();
  const query = useFirmware(firmwareId);
  if (query.error && !query.data) {
    return (
      <>
        <PageHeader title={texts.title} />
        <ProblemAlert error={query.error} onRetry={query.refetch} />
      </>
    );
  }
  // What was opened for one firmware is not for another.
  return query.data ? <Details key={firmwareId} firmware={query.data} /> : <Skeleton active />;
}

function Details({ firmware }: { firmware: FirmwareDetailAnswer }) {
  const { firmwareDetails: texts } = useTexts();
  const paging = usePaging();
  const columns = useTaskColumns();
  const product = useProductOf(firmware.productKey);
  const tasks = useTasks({ ...paging.page, firmwareId: firmware.id });
  return (
    <>
      <PageHeader
        title={`${firmware.name} ${firmware.version}`}
        mark={
          <>
            <FirmwareStatus firmware={firmware} />
            <TrustUndecidedMark product={product} />
          </>
        }
        actions={firmware.deletedAt === null && <Actions firmware={firmware} />}
      />
      {firmware.deletedAt === null && <TrustUndecidedAlert product={product} />}
      {(firmware.file === 'corrupt' || firmware.file === 'missing') && (
        <Alert
          type="error"
          showIcon
          style={{ marginBottom: 16 }}
          title={texts.damaged[firmware.file]}
          description={texts.damagedText}
          action={<UploadAgain firmware={firmware} />}
        />
      )}
      <Panel title={texts.facts}>
        <Facts firmware={firmware} />
      </Panel>
      <h2 style={{ marginBlock: '24px 12px', fontSize: 18 }}>{texts.records}</h2>
      <PagedTable
        label={texts.records}
        query={tasks}
        paging={paging}
        columns={columns}
        rowKey={({ id }) => id}
        empty={<Notice title={texts.none} text={texts.noneText} />}
      />
    </>
  );
}

function Actions({ firmware }: { firmware: FirmwareDetailAnswer }) {
  const { firmware: texts } = useTexts();
  const navigate = useNavigate();
  const [asked, setAsked] = useState<Asked>();
  return (
    <>
      <ActionButton permission="tasks:run" onClick={() => setAsked({ what: 'validate', firmware })}>
        {texts.validate}
      </ActionButton>
      <ActionButton
        permission="tasks:run"
        type="primary"
        reason={firmware.status === 'verified' ? undefined : texts.notVerified}
        onClick={() => setAsked({ what: 'batch', firmware })}
      >
        {texts.batch}
      </ActionButton>
      <ActionButton permission="firmware:write" danger onClick={() => setAsked({ what: 'delete', firmware })}>
        {texts.delete}
      </ActionButton>
      <FirmwareDialogs
        asked={asked}
        onClose={() => setAsked(undefined)}
        onDeleted={() => void navigate(PATHS.firmware)}
      />
    </>
  );
}

/** When, and what the latest verification came to: the firmware counts as verified whatever the results. */
function Verified({ firmware: { verifiedAt, lastVerification } }: { firmware: FirmwareDetailAnswer }) {
  const { words } = useTexts();
  const format = useFormat();
  if (!lastVerification) return <Time at={verifiedAt} />;
  const { taskId, succeeded, total } = lastVerification;
  return (
    <>
      <Time at={verifiedAt} /> ·{' '}
      <Link to={taskPath(taskId)} style={{ textDecoration: 'underline' }}>
        {words.outcome.succeeded(format.number(succeeded), format.number(total))}
      </Link>
    </>
  );
}

function Facts({ firmware }: { firmware: FirmwareDetailAnswer }) {
  const { firmwareDetails: texts, words } = useTexts();
  const format = useFormat();
  const facts = [
    [texts.product, firmware.productKey],
    [words.module, firmware.module],
    [texts.size, format.bytes(firmware.sizeBytes)],
    [firmware.signMethod, <code key="sign">{firmware.sign}</code>],
    ...(firmware.signMethod === 'SHA256' ? [] : [['SHA256', <code key="sha256">{firmware.sha256}</code>] as const]),
    [texts.created, <Time key="created" at={firmware.createdAt} />],
    [texts.verified, <Verified key="verified" firmware={firmware} />],
    ...(firmware.deletedAt === null ? [] : [[texts.deleted, <Time key="deleted" at={firmware.deletedAt} />] as const]),
  ] as const;
  return (
    <dl style={{ display: 'grid', gridTemplateColumns: 'max-content 1fr', gap: '4px 16px', margin: 0 }}>
      {facts.map(([name, value]) => (
        <div key={name} style={{ display: 'contents' }}>
          <dt style={{ opacity: 0.75 }}>{name}</dt>
          <dd style={{ margin: 0, overflowWrap: 'anywhere' }}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
