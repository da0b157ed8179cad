import { useState, type ReactNode } from 'react';
import { useServerIsAway } from '../data/connection.js';
import { useTexts } from '../texts/language.js';
import { ProblemAlert } from './problem-alert.js';
import { RequestDialog } from './request-dialog.js';

export interface ConfirmDestructiveProps {
  readonly open: boolean;
  /** The question. */
  readonly title: string;
  /** How many devices it reaches; named in the dialog. Absent for what reaches none. */
  readonly devices?: number;
  /** What follows from it. */
  readonly text?: ReactNode;
  /** The act in a word or two, on the button. */
  readonly action: string;
  /** Does it; a rejection is shown in the dialog. */
  readonly onConfirm: () => Promise<unknown>;
  /** Closed, done or not. */
  readonly onClose: () => void;
}

/** Asks before what can't be undone. */
export default function ConfirmDialog({ title, devices, text, action, onConfirm, onClose }: ConfirmDestructiveProps) {
  const { frame } = useTexts();
  const isAway = useServerIsAway();
  const [error, setError] = useState<unknown>();
  const [isRunning, setIsRunning] = useState(false);
  const close = () => {
    setError(undefined);
    onClose();
  };
  const confirm = async () => {
    setIsRunning(true);
    setError(undefined);
    try {
      await onConfirm();
      close();
    } catch (reason) {
      setError(reason);
    } finally {
      setIsRunning(false);
    }
  };
  return (
    <RequestDialog
      title={title}
      okText={action}
      okButtonProps={{ danger: true, disabled: isAway }}
      isPending={isRunning}
      onOk={() => void confirm()}
      onCancel={close}
      cancelText={frame.keep}
    >
      {devices !== undefined && (
        <p>
          <strong>{frame.affects(devices)}</strong>
        </p>
      )}
      {text !== undefined && <p>{text}</p>}
      <ProblemAlert error={error} />
    </RequestDialog>
  );
}
