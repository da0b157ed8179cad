import { Alert, Button, Input, Modal, Skeleton, Upload, message } from 'antd';
import { useEffect, useRef, useState } from 'react';
import { useBlocker } from 'react-router';
import type { RegisteredDevicesAnswer } from '../../../api/schemas.js';
import { secretsCsv } from '../../../domain/secrets-csv.js';
import { Clip } from '../../components/clip.js';
import { ConfirmDestructive } from '../../components/confirm-destructive.js';
import { copyText, downloadText } from '../../components/copy-and-download.js';
import { DataTable } from '../../components/data-table.js';
import { ProblemAlert } from '../../components/problem-alert.js';
import { tableText } from '../../components/table-file.js';
import { useServerIsAway } from '../../data/connection.js';
import { useConnectionInfo, useRegisterDevices } from '../../data/devices.js';
import { useIdempotencyKey } from '../../data/idempotency.js';
import { useTexts } from '../../texts/language.js';
import { connectionLines } from './connection-lines.js';
import { parseTyped, withLinesAsTyped } from './typed-devices.js';

/** Names or a CSV file; the server names every bad line, and answers the secrets once. */
export function AddDevicesDialog({ productKey, onClose }: { productKey: string; onClose: () => void }) {
  const { devices: texts } = useTexts();
  const isAway = useServerIsAway();
  const [text, setText] = useState('');
  const register = useRegisterDevices(productKey);
  const [key, changed] = useIdempotencyKey(register.reset);
  if (register.data) return <Secrets productKey={productKey} registered={register.data} onClose={onClose} />;

  const typed = parseTyped(text);
  const change = changed(setText);
  const take = (file: File) => {
    void tableText(file).then(change);
    return false;
  };
  return (
    <Modal
      open
      title={texts.addDevices}
      okText={texts.add(typed.count)}
      okButtonProps={{ disabled: isAway || typed.count === 0 }}
      confirmLoading={register.isPending}
      onOk={() => register.mutate({ csv: typed.csv, idempotencyKey: key })}
      cancelText={texts.cancel}
      onCancel={onClose}
    >
      <label htmlFor="new-devices">{texts.names}</label>
      <Input.TextArea
        id="new-devices"
        autoFocus
        rows={7}
        value={text}
        onChange={(event) => change(event.target.value)}
      />
      <Upload accept=".csv,text/csv,text/plain" beforeUpload={take} fileList={[]}>
        <Button style={{ marginBlock: 8 }}>{texts.fromFile}</Button>
      </Upload>
      <ProblemAlert error={withLinesAsTyped(register.error, typed)} />
    </Modal>
  );
}

interface SecretsProps {
  readonly productKey: string;
  readonly registered: RegisteredDevicesAnswer;
  readonly onClose: () => void;
}

function Secrets({ productKey, registered: { devices }, onClose }: SecretsProps) {
  const { devices: texts, words } = useTexts();
  const [toast, holder] = message.useMessage();
  const [isKept, setIsKept] = useState(false);
  const csv = secretsCsv(devices);
  const copy = () =>
    void copyText(csv).then((isCopied) => {
      if (!isCopied) return toast.error(texts.copyFailed);
      setIsKept(true);
      return toast.success(texts.copied);
    });
  const download = () => {
    downloadText(`${productKey}-secrets.csv`, csv);
    setIsKept(true);
  };
  return (
    <Modal
      open
      width={720}
      title={texts.addDevices}
      onCancel={onClose}
      mask={{ closable: false }}
      footer={[
        <Button key="download" type="primary" onClick={download}>
          {texts.download}
        </Button>,
        <Button key="copy" onClick={copy}>
          {texts.copyAll}
        </Button>,
        <Button key="close" onClick={onClose}>
          {texts.close}
        </Button>,
      ]}
    >
      {holder}
      <LeaveUnkept isKept={isKept} />
      <Alert type="warning" showIcon title={texts.secretsOnce} style={{ marginBottom: 12 }} />
      <DataTable
        label={texts.secret}
        rows={devices}
        rowKey={({ deviceName }) => deviceName}
        maxHeight={280}
        columns={[
          { key: 'device', title: words.device, render: ({ deviceName }) => <Clip text={deviceName} /> },
          {
            key: 'secret',
            title: texts.secret,
            render: ({ deviceSecret }) => <code style={{ overflowWrap: 'anywhere' }}>{deviceSecret}</code>,
          },
          { key: 'protocol', title: texts.protocol, render: ({ protocol }) => words.protocol[protocol] },
        ]}
      />
      <Connection productKey={productKey} deviceName={devices[0]?.deviceName ?? 'NAME'} />
    </Modal>
  );
}

/** The secrets are in this dialog alone: whatever closes it, the way back and a reload included, asks before. */
function LeaveUnkept({ isKept }: { isKept: boolean }) {
  const { devices: texts } = useTexts();
  const blocker = useBlocker(!isKept);
  const isLeaving = useRef(false);
  useEffect(() => {
    if (isKept) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', ask);
    return () => window.removeEventListener('beforeunload', ask);
  }, [isKept]);
  return (
    <ConfirmDestructive
      open={blocker.state === 'blocked'}
      title={texts.leaveTitle}
      text={texts.leaveText}
      action={texts.leave}
      onConfirm={async () => {
        isLeaving.current = true;
        blocker.proceed?.();
      }}
      onClose={() => !isLeaving.current && blocker.reset?.()}
    />
  );
}

/** As the vendor SDKs do it by themselves, once they have host and triple. */
function Connection({ productKey, deviceName }: { productKey: string; deviceName: string }) {
  const { devices: texts } = useTexts();
  const info = useConnectionInfo();
  if (info.error) return <ProblemAlert error={info.error} onRetry={info.refetch} />;
  if (!info.data) return <Skeleton active />;
  const lines = connectionLines(info.data, { productKey, deviceName, pageHost: window.location.hostname });
  return (
    <>
      <h2 style={{ marginBlock: '16px 8px', fontSize: 16 }}>{texts.connect}</h2>
      {/* It scrolls, so it takes the focus. */}
      <pre tabIndex={0} style={{ overflowX: 'auto', fontSize: 12 }}>
        {lines.join('\n')}
      </pre>
    </>
  );
}
