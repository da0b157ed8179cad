import { useState } from 'react';
import { useNavigate } from 'react-router';
import type { TaskDetailAnswer } from '../../../api/schemas.js';
import { isTaskOpen } from '../../../domain/update-task.js';
import { taskPath } from '../../app/paths.js';
import { ActionButton } from '../../components/action-button.js';
import { ConfirmDestructive } from '../../components/confirm-destructive.js';
import { newIdempotencyKey } from '../../data/idempotency.js';
import { useCancelTask, useEndVerification, useReinitiate } from '../../data/tasks.js';
import { useTexts } from '../../texts/language.js';

const openDevices = ({ counts }: TaskDetailAnswer): number => counts.pending + counts.notified + counts.upgrading;

/** What can be done with the whole task. */
export function TaskActions({ task }: { task: TaskDetailAnswer }) {
  const { taskDetails: texts } = useTexts();
  const [asked, setAsked] = useState<'cancel' | 'end'>();
  const cancel = useCancelTask(task.id);
  const end = useEndVerification(task.id);
  const isOpen = isTaskOpen(task.status);
  const ending = task.endRequestedAt === null ? undefined : texts.endUnderWay;
  // The two exclude each other, and neither is asked for twice.
  const underWay = task.cancelRequestedAt === null ? ending : texts.cancelUnderWay;
  const close = () => setAsked(undefined);
  return (
    <>
      {isOpen && task.kind === 'verification' && (
        <ActionButton permission="tasks:run" reason={underWay} onClick={() => setAsked('end')}>
          {texts.end}
        </ActionButton>
      )}
      {isOpen && (
        <ActionButton permission="tasks:run" danger reason={underWay} onClick={() => setAsked('cancel')}>
          {texts.cancelTask}
        </ActionButton>
      )}
      <Reinitiate task={task} deviceNames={undefined} />
      <ConfirmDestructive
        open={asked === 'cancel'}
        title={texts.cancelTaskTitle}
        text={texts.cancelTaskText}
        devices={openDevices(task)}
        action={texts.cancelTask}
        onConfirm={() => cancel.mutateAsync()}
        onClose={close}
      />
      <ConfirmDestructive
        open={asked === 'end'}
        title={texts.endTitle}
        text={texts.endText}
        devices={openDevices(task)}
        action={texts.end}
        onConfirm={() => end.mutateAsync()}
        onClose={close}
      />
    </>
  );
}

/** @param deviceNames all failed ones if undefined */
export function Reinitiate({
  task,
  deviceNames,
}: {
  task: TaskDetailAnswer;
  deviceNames: readonly string[] | undefined;
}) {
  const { taskDetails: texts } = useTexts();
  const [key, setKey] = useState<string>();
  const navigate = useNavigate();
  const reinitiate = useReinitiate(task.id);
  const isOpen = isTaskOpen(task.status);
  const reason = isOpen ? texts.notEnded : task.counts.failed === 0 ? texts.noneFailed : undefined;
  const start = async (idempotencyKey: string) => {
    const names = deviceNames === undefined ? {} : { deviceNames: [...deviceNames] };
    const created = await reinitiate.mutateAsync({ ...names, idempotencyKey });
    void navigate(taskPath(created.id));
  };
  return (
    <>
      <ActionButton permission="tasks:run" type="primary" reason={reason} onClick={() => setKey(newIdempotencyKey())}>
        {deviceNames === undefined ? texts.reinitiateAll : texts.reinitiateSome(deviceNames.length)}
      </ActionButton>
      <ConfirmDestructive
        open={key !== undefined}
        title={texts.reinitiateTitle}
        text={texts.reinitiateText}
        devices={deviceNames?.length ?? task.counts.failed}
        action={deviceNames === undefined ? texts.reinitiateAll : texts.reinitiateSome(deviceNames.length)}
        onConfirm={() => start(key ?? '')}
        onClose={() => setKey(undefined)}
      />
    </>
  );
}
