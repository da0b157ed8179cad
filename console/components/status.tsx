import type { ReactNode } from 'react';
import type { DeviceAnswer, DeviceUpdateAnswer, FirmwareAnswer, TaskAnswer } from '../../api/schemas.js';
import { useFormat } from '../texts/format.js';
import { useTexts } from '../texts/language.js';
import styles from './status.module.css';

/** A state looks the same wherever it is shown; its colour is that of the bars (base.css). */
const TASK_LOOKS = {
  pending: 'quiet',
  'awaiting-approval': 'waiting',
  running: 'upgrading',
  paused: 'failed',
  completed: 'succeeded',
  cancelled: 'quiet',
  rejected: 'quiet',
} as const;
const FIRMWARE_LOOKS = { unverified: 'waiting', verifying: 'upgrading', verified: 'succeeded' } as const;
const UPDATE_LOOKS = {
  pending: 'quiet',
  notified: 'notified',
  upgrading: 'upgrading',
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: 'quiet',
} as const;

type Look = 'quiet' | 'waiting' | 'notified' | 'upgrading' | 'succeeded' | 'failed';

/** A state as a coloured word. */
export function Status({ look, children }: { look: Look; children: ReactNode }) {
  return <span className={`${styles['status'] ?? ''} ${styles[look] ?? ''}`}>{children}</span>;
}

export function TaskStatus({ status }: Pick<TaskAnswer, 'status'>) {
  const { words } = useTexts();
  return <Status look={TASK_LOOKS[status]}>{words.taskStatus[status]}</Status>;
}

export function FirmwareStatus({ status }: Pick<FirmwareAnswer, 'status'>) {
  const { words } = useTexts();
  return <Status look={FIRMWARE_LOOKS[status]}>{words.firmwareStatus[status]}</Status>;
}

/** Where a device update stands; an ended one by how it ended, an upgrading one by its step. */
export function DeviceUpdateStatus({ update }: { update: Pick<DeviceUpdateAnswer, 'status' | 'outcome' | 'step'> }) {
  const { words } = useTexts();
  const format = useFormat();
  const state = update.status === 'completed' ? (update.outcome ?? 'failed') : update.status;
  const step = state === 'upgrading' && update.step !== null ? ` ${format.percent(update.step / 100)}` : '';
  return <Status look={UPDATE_LOOKS[state]}>{`${words.count[state]}${step}`}</Status>;
}

const PRESENCE_COLORS = { online: 'succeeded', offline: 'cancelled', revoked: 'failed' } as const;

/** Whether a device is there; a revoked one may not even come. */
export function Presence({ device: { online, revokedAt } }: { device: Pick<DeviceAnswer, 'online' | 'revokedAt'> }) {
  const { words } = useTexts();
  const state = revokedAt !== null ? 'revoked' : online ? 'online' : 'offline';
  const background = `var(--ferry-${PRESENCE_COLORS[state]})`;
  return (
    <span style={{ whiteSpace: 'nowrap' }}>
      <span
        aria-hidden
        style={{ display: 'inline-block', width: 8, height: 8, marginInlineEnd: 8, borderRadius: 4, background }}
      />
      {words[state]}
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
