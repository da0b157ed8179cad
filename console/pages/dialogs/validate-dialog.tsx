import { Collapse, Input, Modal, Table } from 'antd';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import type { DeviceAnswer, FirmwareAnswer } from '../../../api/schemas.js';
import { taskPath } from '../../app/paths.js';
import { PolicyFields, policyOf, type PolicyInput } from '../../components/policy-fields.js';
import { ProblemAlert } from '../../components/problem-alert.js';
import { Presence } from '../../components/status.js';
import { useServerIsAway } from '../../data/connection.js';
import { useDevices } from '../../data/devices.js';
import { useCreateVerification } from '../../data/firmware.js';
import { useIdempotencyKey } from '../../data/idempotency.js';
import { useTexts } from '../../texts/language.js';

/** Rows of the pick list; a search narrows it down. */
const SHOWN = 50;

/** Tries the firmware on a few devices. */
export function ValidateFirmwareDialog({ firmware, onClose }: { firmware: FirmwareAnswer; onClose: () => void }) {
  const { validate: texts, firmware: words } = useTexts();
  const navigate = useNavigate();
  const isAway = useServerIsAway();
  const [names, setNames] = useState<readonly string[]>([]);
  const [policy, setPolicy] = useState<PolicyInput>({});
  const create = useCreateVerification(firmware.id);
  const [key, changed] = useIdempotencyKey(create.reset);

  const start = async () => {
    const limits = policyOf(policy);
    const request = { deviceNames: [...names], ...(limits && { policy: limits }), idempotencyKey: key };
    const task = await create.mutateAsync(request).catch(() => undefined); // shown below
    if (!task) return;
    onClose();
    void navigate(taskPath(task.id));
  };
  return (
    <Modal
      open
      width={720}
      title={texts.title(`${firmware.name} ${firmware.version}`)}
      okText={names.length === 0 ? texts.chooseFirst : texts.start(names.length)}
      okButtonProps={{ disabled: isAway || names.length === 0 }}
      confirmLoading={create.isPending}
      onOk={() => void start()}
      cancelText={words.cancel}
      onCancel={onClose}
    >
      <p>{texts.text}</p>
      <DevicePick
        productKey={firmware.productKey}
        module={firmware.module}
        names={names}
        onChange={changed(setNames)}
      />
      <p aria-live="polite">{texts.chosen(names.length)}</p>
      <Collapse
        ghost
        items={[
          {
            key: 'policy',
            label: texts.advanced,
            children: <PolicyFields kind="verification" value={policy} onChange={changed(setPolicy)} />,
          },
        ]}
      />
      <ProblemAlert error={create.error} />
    </Modal>
  );
}

interface DevicePickProps {
  readonly productKey: string;
  readonly module: string;
  readonly names: readonly string[];
  readonly onChange: (names: readonly string[]) => void;
}

/** Online ones first, then the others, as far as they fit; a search finds the rest. */
function DevicePick({ productKey, module, names, onChange }: DevicePickProps) {
  const { validate: texts, words } = useTexts();
  const [search, setSearch] = useState('');
  const shared = { limit: SHOWN, ...(search !== '' && { search }) };
  const online = useDevices(productKey, { ...shared, online: true });
  const offline = useDevices(productKey, { ...shared, online: false });
  const devices = [...(online.data?.items ?? []), ...(offline.data?.items ?? [])].slice(0, SHOWN);
  const versionOf = (device: DeviceAnswer) => device.modules.find((one) => one.module === module)?.version ?? '–';
  const remark = ({ protocol, online: isOnline, revokedAt }: DeviceAnswer) => {
    if (revokedAt !== null) return texts.revoked;
    if (protocol !== 'mqtt') return texts.transient;
    return isOnline ? '' : texts.offline;
  };
  return (
    <section aria-label={texts.pick}>
      <Input.Search
        allowClear
        placeholder={texts.search}
        aria-label={texts.search}
        onSearch={(text) => setSearch(text.trim())}
        style={{ marginBottom: 8 }}
      />
      <Table<DeviceAnswer>
        size="small"
        rowKey="deviceName"
        dataSource={devices}
        loading={online.isPending || offline.isPending}
        pagination={false}
        scroll={{ y: 260, x: 'max-content' }}
        locale={{ emptyText: texts.none }}
        rowSelection={{
          selectedRowKeys: [...names],
          preserveSelectedRowKeys: true,
          onChange: (keys) => onChange(keys.map(String)),
          getCheckboxProps: ({ deviceName }) => ({ 'aria-label': deviceName }),
        }}
        columns={[
          { title: words.device, dataIndex: 'deviceName' },
          { title: words.status, render: (_, device) => <Presence device={device} /> },
          { title: words.version, render: (_, device) => versionOf(device) },
          { title: '', render: (_, device) => <small>{remark(device)}</small> },
        ]}
      />
    </section>
  );
}
