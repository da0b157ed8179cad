import { Alert, message } from 'antd';
import { lazy, Suspense, useMemo, useState } from 'react';
import { Link } from 'react-router';
import type { FirmwareAnswer, ProductAnswer } from '../../../api/schemas.js';
import { firmwarePath, PATHS } from '../../app/paths.js';
import { ActionButton } from '../../components/action-button.js';
import { Clip } from '../../components/clip.js';
import { copyText } from '../../components/copy-and-download.js';
import type { Column } from '../../components/data-table.js';
import { Notice } from '../../components/notice.js';
import { PagedTable } from '../../components/paged-table.js';
import { PageHeader } from '../../components/page-header.js';
import { usePaging } from '../../components/paging.js';
import { ProblemAlert } from '../../components/problem-alert.js';
import { ProductChooser, useProduct } from '../../components/product-chooser.js';
import { FirmwareStatus } from '../../components/status.js';
import { useUrlState } from '../../components/url-state.js';
import { useFirmwareList } from '../../data/firmware.js';
import { useFormat } from '../../texts/format.js';
import { useTexts } from '../../texts/language.js';
import { FirmwareDialogs, type Asked } from '../dialogs/firmware-dialogs.js';

const NewFirmwareDialog = lazy(async () => ({ default: (await import('./new-firmware-dialog.js')).NewFirmwareDialog }));

/** In the address: `product`, and `dialog=new`. */
export function Component() {
  const { firmware: texts } = useTexts();
  const chooser = useProduct();
  const { product, products } = chooser;
  return (
    <>
      {products.error && <ProblemAlert error={products.error} onRetry={products.refetch} />}
      {products.data && !product && (
        <>
          <PageHeader title={texts.title} text={texts.text} />
          <Notice
            title={texts.noProduct}
            text={texts.noProductRemedy}
            action={<Link to={PATHS.devices}>{texts.toDevices}</Link>}
          />
        </>
      )}
      {product && <FirmwareList key={product.productKey} chooser={chooser} product={product} />}
    </>
  );
}

interface FirmwareListProps {
  readonly chooser: ReturnType<typeof useProduct>;
  readonly product: ProductAnswer;
}

function FirmwareList({ chooser, product: { productKey, trustedKeys, trustUndecided } }: FirmwareListProps) {
  const { firmware: texts, problems } = useTexts();
  const format = useFormat();
  const [get, set] = useUrlState();
  const [asked, setAsked] = useState<Asked>();
  const paging = usePaging();
  const query = useFirmwareList({ ...paging.page, productKey });
  const columns = useColumns(setAsked);
  const quota = query.data?.quota;
  return (
    <>
      <PageHeader
        title={texts.title}
        text={quota ? texts.quota(format.number(quota.used), format.number(quota.max)) : texts.text}
        actions={
          <>
            <ProductChooser {...chooser} />
            <ActionButton permission="firmware:write" type="primary" onClick={() => set({ dialog: 'new' })}>
              {texts.newFirmware}
            </ActionButton>
          </>
        }
      />
      {trustUndecided && (
        <Alert
          type="warning"
          showIcon
          role="alert"
          style={{ marginBottom: 16 }}
          title={problems.byCode['trust-undecided'].title}
          description={problems.byCode['trust-undecided'].remedy}
        />
      )}
      <PagedTable
        label={texts.title}
        query={query}
        paging={paging}
        columns={columns}
        rowKey={({ id }) => id}
        empty={
          <Notice
            title={texts.none}
            text={texts.noneRemedy}
            action={
              <ActionButton permission="firmware:write" type="primary" onClick={() => set({ dialog: 'new' })}>
                {texts.newFirmware}
              </ActionButton>
            }
          />
        }
      />
      {get('dialog') === 'new' && (
        <Suspense fallback={null}>
          <NewFirmwareDialog
            productKey={productKey}
            limits={query.data?.limits}
            isSigned={trustedKeys.length > 0}
            onClose={() => set({ dialog: undefined })}
          />
        </Suspense>
      )}
      <FirmwareDialogs asked={asked} onClose={() => setAsked(undefined)} />
    </>
  );
}

/** Shortened; the whole digest is copied, and shown on pointing at it. */
const DIGEST_SHOWN = 12;
/** As text, but for the ring of the focus. */
const DIGEST_STYLE = {
  ...{ padding: 0, border: 0, background: 'none', color: 'inherit' },
  ...{ cursor: 'copy', fontFamily: 'monospace', fontSize: 'inherit' },
} as const;

function Digest({ firmware: { signMethod, sign } }: { firmware: FirmwareAnswer }) {
  const { firmware: texts } = useTexts();
  const [toast, holder] = message.useMessage();
  const copy = () =>
    void copyText(sign).then((isCopied) => (isCopied ? toast.success(sign) : toast.error(texts.copyFailed)));
  return (
    <>
      {holder}
      <button type="button" title={`${texts.copy}: ${sign}`} onClick={copy} style={DIGEST_STYLE}>
        {signMethod} {sign.slice(0, DIGEST_SHOWN)}…
      </button>
    </>
  );
}

function useColumns(ask: (asked: Asked) => void): readonly Column<FirmwareAnswer>[] {
  const { firmware: texts, words, frame } = useTexts();
  const format = useFormat();
  return useMemo(
    () => [
      {
        title: words.firmware,
        key: 'name',
        render: ({ id, name, version }) => (
          <>
            <Clip text={name}>
              <Link to={firmwarePath(id)}>{name}</Link>
            </Clip>
            <Clip text={version} />
          </>
        ),
      },
      { title: words.module, key: 'module', from: 'xl', render: ({ module }) => <Clip text={module} /> },
      { title: texts.size, key: 'size', from: 'xl', render: ({ sizeBytes }) => format.bytes(sizeBytes) },
      { title: texts.digest, key: 'digest', from: 'xl', render: (firmware) => <Digest firmware={firmware} /> },
      { title: words.status, key: 'status', render: (firmware) => <FirmwareStatus firmware={firmware} /> },
      {
        title: texts.usedBy,
        key: 'usedBy',
        from: 'lg',
        render: ({ id, openTasks }) =>
          openTasks === 0 ? '–' : <Link to={`${PATHS.tasks}?firmware=${id}`}>{texts.openTasks(openTasks)}</Link>,
      },
      {
        title: frame.actions,
        key: 'actions',
        isActions: true,
        render: (firmware) => (
          <>
            <ActionButton permission="tasks:run" size="small" onClick={() => ask({ what: 'validate', firmware })}>
              {texts.validate}
            </ActionButton>
            <ActionButton
              permission="tasks:run"
              size="small"
              type="primary"
              reason={firmware.status === 'verified' ? undefined : texts.notVerified}
              onClick={() => ask({ what: 'batch', firmware })}
            >
              {texts.batch}
            </ActionButton>
            <ActionButton
              permission="firmware:write"
              size="small"
              danger
              type="text"
              onClick={() => ask({ what: 'delete', firmware })}
            >
              {texts.delete}
            </ActionButton>
          </>
        ),
      },
    ],
    [texts, words, frame, format, ask],
  );
}
