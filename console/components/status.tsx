import type { ReactNode } from 'react';
import type { DeviceAnswer, DeviceUpdateAnswer, FirmwareAnswer, TaskAnswer } from '../../api/schemas.js';
import { useFormat } from '../texts/format.js';
import { useTexts } from '../texts/language.js';
import { noticeableFailures, outcomeOf } from './outcome.js';
import styles from './status.module.css';

/** A state looks the same wherever it is shown; its colour is that of the bars (base.css). */
const TASK_LOOKS = {
  pending: 'quiet',
  'awaiting-approval': 'waiting',
  running: 'upgrading',
  paused: 'failed',
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

/** Where a task stands; of one that has ended, how; of one that runs, whether much fails. */
export function TaskStatus({ task: { status, counts } }: { task: Pick<TaskAnswer, 'status' | 'counts'> }) {
  const { words } = useTexts();
  const format = useFormat();
  const word = words.taskStatus[status];
  const share = noticeableFailures(counts);
  if (status === 'running' && share !== null) {
    return <Status look="waiting">{`${word} · ${words.failing(format.percent(share))}`}</Status>;
  }
  if (status !== 'completed' && status !== 'cancelled' && status !== 'rejected') {
    return <Status look={TASK_LOOKS[status]}>{word}</Status>;
  }
  const { look, remark } = outcomeOf({ status, counts });
  if (remark === null) return <Status look={look}>{word}</Status>;
  const text = words.outcome[remark.what](format.number(remark.count), format.number(remark.total));
  return <Status look={look}>{`${word} · ${text}`}</Status>;
}

/** Of a verified one, what its latest verification came to, unless all of it succeeded. */
export function FirmwareStatus({ firmware: { status, lastVerification } }: { firmware: FirmwareState }) {
  const { words } = useTexts();
  const format = useFormat();
  const word = words.firmwareStatus[status];
  if (status !== 'verified' || !lastVerification || lastVerification.succeeded === lastVerification.total) {
    return <Status look={FIRMWARE_LOOKS[status]}>{word}</Status>;
  }
  const { succeeded, total } = lastVerification;
  const remark = words.outcome.succeeded(format.number(succeeded), format.number(total));
  return <Status look={succeeded === 0 ? 'failed' : 'waiting'}>{`${word} · ${remark}`}</Status>;
}

type FirmwareState = Pick<FirmwareAnswer, 'status' | 'lastVerification'>;

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
