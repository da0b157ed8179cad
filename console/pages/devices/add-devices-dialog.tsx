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
import { RequestDialog } from '../../components/request-dialog.js';
import { isUndecided } from '../../data/client.js';
import { useServerIsAway } from '../../data/connection.js';
import { useConnectionInfo, useRegisterDevices } from '../../data/devices.js';
import { newIdempotencyKey } from '../../data/idempotency.js';
import { useTexts } from '../../texts/language.js';
import { connectionLines } from './connection-lines.js';
import { parseTyped, withLinesAsTyped } from './typed-devices.js';

/** Names or a CSV file; the server names every bad line, and answers the secrets once. */
export function AddDevicesDialog({ productKey, onClose }: { productKey: string; onClose: () => void }) {
  const { devices: texts } = useTexts();
  const isAway = useServerIsAway();
  const [text, setText] = useState('');
  const register = useRegisterDevices(productKey);
  // A list that was sent keeps its key, also if it was something else meanwhile: its secrets come by no other.
  const [keys] = useState(() => new Map<string, string>());
  const [isKept, setIsKept] = useState(false);
  // Devices may have been added, and nobody has seen their secrets.
  const [isUnanswered, setIsUnanswered] = useState(false);
  const typed = parseTyped(text);
  const change = (list: string) => {
    setText(list);
    register.reset();
  };
  const take = (file: File) => {
    void tableText(file).then(change);
    return false;
  };
  if (register.data) {
    return (
      <>
        {/* Another question than the one before, which its answer has settled. */}
        <LeaveUnkept key="secrets" title={texts.leaveTitle} text={texts.leaveText} isGuarding={!isKept} />
        <Secrets productKey={productKey} registered={register.data} onKept={() => setIsKept(true)} onClose={onClose} />
      </>
    );
  }
  const send = () => {
    const idempotencyKey = keys.get(typed.csv) ?? newIdempotencyKey();
    keys.set(typed.csv, idempotencyKey);
    void register.mutateAsync({ csv: typed.csv, idempotencyKey }).catch((error: unknown) => {
      if (isUndecided(error)) setIsUnanswered(true);
    });
  };
  return (
    <>
      <LeaveUnkept
        title={texts.leaveEarlyTitle}
        text={texts.leaveEarlyText}
        isGuarding={register.isPending || isUnanswered}
      />
      <RequestDialog
        title={texts.addDevices}
        okText={texts.add(typed.count)}
        okButtonProps={{ disabled: isAway || typed.count === 0 }}
        isPending={register.isPending}
        onOk={send}
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
      </RequestDialog>
    </>
  );
}

interface SecretsProps {
  readonly productKey: string;
  readonly registered: RegisteredDevicesAnswer;
  /** Copied, or downloaded. */
  readonly onKept: () => void;
  readonly onClose: () => void;
}

function Secrets({ productKey, registered: { devices }, onKept, onClose }: SecretsProps) {
  const { devices: texts, words } = useTexts();
  const [toast, holder] = message.useMessage();
  const csv = secretsCsv(devices);
  const copy = () =>
    void copyText(csv).then((isCopied) => {
      if (!isCopied) return toast.error(texts.copyFailed);
      onKept();
      return toast.success(texts.copied);
    });
  const download = () => {
    downloadText(`${productKey}-secrets.csv`, csv);
    onKept();
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

interface LeaveUnkeptProps {
  readonly title: string;
  readonly text: string;
  readonly isGuarding: boolean;
}

/** The secrets are in this dialog alone: whatever closes it, the way back and a reload included, asks before. */
function LeaveUnkept({ title, text, isGuarding }: LeaveUnkeptProps) {
  const { devices: texts } = useTexts();
  const blocker = useBlocker(isGuarding);
  const isLeaving = useRef(false);
  useEffect(() => {
    if (!isGuarding) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', ask);
    return () => window.removeEventListener('beforeunload', ask);
  }, [isGuarding]);
  return (
    <ConfirmDestructive
      open={blocker.state === 'blocked'}
      title={title}
      text={text}
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
