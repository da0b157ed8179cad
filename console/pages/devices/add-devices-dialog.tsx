import { Alert, Button, Input, Modal, Table, Upload, message } from 'antd';
import { useState } from 'react';
import type { RegisteredDevicesAnswer } from '../../../api/schemas.js';
import { secretsCsv } from '../../../domain/secrets-csv.js';
import { copyText, downloadText } from '../../components/copy-and-download.js';
import { ProblemAlert } from '../../components/problem-alert.js';
import { useServerIsAway } from '../../data/connection.js';
import { useRegisterDevices } from '../../data/devices.js';
import { useIdempotencyKey } from '../../data/idempotency.js';
import { useTexts } from '../../texts/language.js';
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
    void file.text().then(change);
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
  const csv = secretsCsv(devices);
  const copy = () =>
    void copyText(csv).then((isCopied) => (isCopied ? toast.success(texts.copied) : toast.error(texts.copyFailed)));
  return (
    <Modal
      open
      width={720}
      title={texts.addDevices}
      onCancel={onClose}
      mask={{ closable: false }}
      footer={[
        <Button key="download" type="primary" onClick={() => downloadText(`${productKey}-secrets.csv`, csv)}>
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
      <Table
        size="small"
        rowKey="deviceName"
        dataSource={devices}
        pagination={false}
        scroll={{ y: 240, x: 'max-content' }}
        columns={[
          { title: words.device, dataIndex: 'deviceName' },
          { title: texts.secret, render: (_, { deviceSecret }) => <code>{deviceSecret}</code> },
          { title: texts.protocol, render: (_, { protocol }) => words.protocol[protocol] },
        ]}
      />
      <h3>{texts.connect}</h3>
      <pre style={{ overflowX: 'auto', fontSize: 12 }}>{connection(productKey, devices[0]?.deviceName ?? 'NAME')}</pre>
    </Modal>
  );
}

/** As the vendor SDKs do it by themselves, once they have host and triple. */
const connection = (productKey: string, deviceName: string): string =>
  [
    `host      ${location.hostname}, port 1883 (FERRY_MQTT_PORT)`,
    `clientId  ${productKey}.${deviceName}|securemode=3,signmethod=hmacsha256,_ss=1|`,
    `username  ${deviceName}&${productKey}`,
    `password  hex(HMAC-SHA256(deviceSecret,`,
    `            "clientId${productKey}.${deviceName}deviceName${deviceName}productKey${productKey}"))`,
  ].join('\n');
