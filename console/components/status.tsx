import { Tag } from 'antd';
import type { DeviceUpdateAnswer, FirmwareAnswer, TaskAnswer } from '../../api/schemas.js';
import { useFormat } from '../texts/format.js';
import { useTexts } from '../texts/language.js';

const TASK_COLORS = { pending: 'default', running: 'processing', completed: 'success', cancelled: 'default' } as const;
const FIRMWARE_COLORS = { unverified: 'warning', verifying: 'processing', verified: 'success' } as const;
const UPDATE_COLORS = {
  ...{ pending: 'default', notified: 'blue', upgrading: 'processing' },
  ...{ succeeded: 'success', failed: 'error', cancelled: 'default' },
} as const;

export function TaskStatus({ status }: Pick<TaskAnswer, 'status'>) {
  const { words } = useTexts();
  return <Tag color={TASK_COLORS[status]}>{words.taskStatus[status]}</Tag>;
}

export function FirmwareStatus({ status }: Pick<FirmwareAnswer, 'status'>) {
  const { words } = useTexts();
  return <Tag color={FIRMWARE_COLORS[status]}>{words.firmwareStatus[status]}</Tag>;
}

/** Where a device update stands; an ended one by how it ended, an upgrading one by its step. */
export function DeviceUpdateStatus({ update }: { update: Pick<DeviceUpdateAnswer, 'status' | 'outcome' | 'step'> }) {
  const { words } = useTexts();
  const format = useFormat();
  const state = update.status === 'completed' ? (update.outcome ?? 'failed') : update.status;
  const step = state === 'upgrading' && update.step !== null ? ` ${format.percent(update.step / 100)}` : '';
  return <Tag color={UPDATE_COLORS[state]}>{`${words.count[state]}${step}`}</Tag>;
}

export function Presence({ online }: { online: boolean }) {
  const { words } = useTexts();
  const color = online ? 'var(--ferry-succeeded)' : 'var(--ferry-cancelled)';
  return (
    <span style={{ whiteSpace: 'nowrap' }}>
      <span
        aria-hidden
        style={{ display: 'inline-block', width: 8, height: 8, marginInlineEnd: 8, borderRadius: 4, background: color }}
      />
      {online ? words.online : words.offline}
    </span>
  );
}

/** What an open device update waits for, until when, and what then. */
export function WaitingFor({ waiting }: { waiting: DeviceUpdateAnswer['waitingFor'] }) {
  const { words } = useTexts();
  const format = useFormat();
  if (waiting === null) return null;
  const until = waiting.until === null ? null : format.time(waiting.until);
  return <span title={waiting.text}>{words.waiting[waiting.what](format.time(waiting.since), until)}</span>;
}
