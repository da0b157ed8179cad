import { Collapse, Input } from 'antd';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import type { DeviceAnswer, FirmwareAnswer } from '../../../api/schemas.js';
import { taskPath } from '../../app/paths.js';
import { Clip } from '../../components/clip.js';
import { DataTable } from '../../components/data-table.js';
import { PolicyFields, policyOf, type PolicyInput } from '../../components/policy-fields.js';
import { ProblemAlert } from '../../components/problem-alert.js';
import { RequestDialog } from '../../components/request-dialog.js';
import { Presence } from '../../components/status.js';
import { useServerIsAway } from '../../data/connection.js';
import { useDevices } from '../../data/devices.js';
import { useCreateVerification } from '../../data/firmware.js';
import { useIdempotencyKey } from '../../data/idempotency.js';
import { useTexts } from '../../texts/language.js';
import { refusedDevices, RefusedDevices } from './refused-devices.js';

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

  const choose = changed(setNames);
  const takeOff = (gone: readonly string[]) => choose(names.filter((name) => !gone.includes(name)));
  const start = async () => {
    const limits = policyOf(policy);
    const request = { deviceNames: [...names], ...(limits && { policy: limits }), idempotencyKey: key };
    const task = await create.mutateAsync(request).catch(() => undefined); // shown below
    if (!task) return;
    onClose();
    void navigate(taskPath(task.id));
  };
  const refused = refusedDevices(create.error);
  return (
    <RequestDialog
      width={720}
      title={texts.title(`${firmware.name} ${firmware.version}`)}
      okText={names.length === 0 ? texts.chooseFirst : texts.start(names.length)}
      okButtonProps={{ disabled: isAway || names.length === 0 }}
      isPending={create.isPending}
      onOk={() => void start()}
      cancelText={words.cancel}
      onCancel={onClose}
    >
      <p>{texts.text}</p>
      <DevicePick
        productKey={firmware.productKey}
        module={firmware.module}
        names={names}
        isLocked={create.isPending}
        onChange={choose}
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
      <ProblemAlert
        error={create.error}
        devices={refused.length > 0 ? <RefusedDevices devices={refused} onTakeOff={takeOff} /> : undefined}
      />
    </RequestDialog>
  );
}

interface DevicePickProps {
  readonly productKey: string;
  readonly module: string;
  readonly names: readonly string[];
  readonly isLocked: boolean;
  readonly onChange: (names: readonly string[]) => void;
}

/** Online ones first, then the others, as far as they fit; a search finds the rest. */
function DevicePick({ productKey, module, names, isLocked, onChange }: DevicePickProps) {
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
      {devices.length === 0 && !online.isPending && !offline.isPending ? (
        <p>{texts.none}</p>
      ) : (
        <DataTable<DeviceAnswer>
          label={texts.pick}
          rows={devices}
          rowKey={({ deviceName }) => deviceName}
          isLoading={online.isPending || offline.isPending}
          maxHeight={300}
          selection={{ selected: names, isLocked, onChange }}
          columns={[
            { key: 'device', title: words.device, render: ({ deviceName }) => <Clip text={deviceName} /> },
            { key: 'status', title: words.status, render: (device) => <Presence device={device} /> },
            { key: 'version', title: words.version, render: (device) => versionOf(device) },
            { key: 'remark', title: texts.remark, render: (device) => <small>{remark(device)}</small> },
          ]}
        />
      )}
    </section>
  );
}
