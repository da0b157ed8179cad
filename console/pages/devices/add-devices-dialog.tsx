import { Alert, Button, Input, Modal, Table, Upload, message } from 'antd';
import { useState } from 'react';
import type { RegisteredDevicesAnswer } from '../../../api/schemas.js';
import { ProblemAlert } from '../../components/problem-alert.js';
import { useServerIsAway } from '../../data/connection.js';
import { useRegisterDevices } from '../../data/devices.js';
import { useTexts } from '../../texts/language.js';

const HEADER = 'deviceName';

/** Names or a CSV file; the server names every bad line, and answers the secrets once. */
export function AddDevicesDialog({ productKey, onClose }: { productKey: string; onClose: () => void }) {
  const { devices: texts } = useTexts();
  const isAway = useServerIsAway();
  const [text, setText] = useState('');
  const register = useRegisterDevices(productKey);
  if (register.data) return <Secrets productKey={productKey} registered={register.data} onClose={onClose} />;

  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const hasHeader = lines[0]?.startsWith(HEADER) ?? false;
  const count = lines.length - (hasHeader ? 1 : 0);
  const take = (file: File) => {
    void file.text().then(setText);
    return false;
  };
  return (
    <Modal
      open
      title={texts.addDevices}
      okText={texts.add(count)}
      okButtonProps={{ disabled: isAway || count === 0 }}
      confirmLoading={register.isPending}
      onOk={() => register.mutate({ csv: `${hasHeader ? '' : `${HEADER}\n`}${lines.join('\n')}\n` })}
      cancelText={texts.cancel}
      onCancel={onClose}
    >
      <label htmlFor="new-devices">{texts.names}</label>
      <Input.TextArea
        id="new-devices"
        autoFocus
        rows={7}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <Upload accept=".csv,text/csv,text/plain" beforeUpload={take} fileList={[]}>
        <Button style={{ marginBlock: 8 }}>{texts.fromFile}</Button>
      </Upload>
      <ProblemAlert error={register.error} />
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
  const csv = ['deviceName,deviceSecret,protocol']
    .concat(devices.map(({ deviceName, deviceSecret, protocol }) => `${deviceName},${deviceSecret},${protocol}`))
    .join('\n');
  const copy = () => void navigator.clipboard.writeText(csv).then(() => toast.success(texts.copied));
  return (
    <Modal
      open
      width={720}
      title={texts.addDevices}
      onCancel={onClose}
      mask={{ closable: false }}
      footer={[
        <Button key="copy" type="primary" onClick={copy}>
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
