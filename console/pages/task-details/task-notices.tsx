import { Alert } from 'antd';
import { lazy, Suspense, useState } from 'react';
import type { TaskDetailAnswer } from '../../../api/schemas.js';
import { awaitsApproval, isTaskOpen } from '../../../domain/update-task.js';
import { ActionButton } from '../../components/action-button.js';
import { useFormat } from '../../texts/format.js';
import { useTexts } from '../../texts/language.js';
import styles from './task-details-page.module.css';

const DecisionDialog = lazy(() => import('./decision-dialog.js'));

/** Why a task does not go on, what a person can do about it, and what somebody has done already. */
export function TaskNotices({ task }: { task: TaskDetailAnswer }) {
  const { taskDetails: texts } = useTexts();
  const { approval, cancelRequestedAt, endRequestedAt } = task;
  const isOpen = isTaskOpen(task.status);
  return (
    <>
      {task.waitingFor !== null && (
        <Alert type="warning" showIcon title={texts.engineAway} description={texts.engineAwayText} />
      )}
      {task.pausedCause !== null && (
        <Alert type="error" showIcon title={texts.pausedDamaged} description={texts.pausedDamagedText} />
      )}
      {isOpen && <UnderWay cancelRequestedAt={cancelRequestedAt} endRequestedAt={endRequestedAt} />}
      {awaitsApproval(task, cancelRequestedAt) && <AwaitingApproval task={task} />}
      {approval !== null && (
        <Alert
          type={approval.decision === 'approved' ? 'info' : 'warning'}
          showIcon
          title={approval.decision === 'approved' ? texts.approvedBy(approval.by) : texts.rejectedBy(approval.by)}
          description={approval.remark}
        />
      )}
    </>
  );
}

/** Asked for, and not done yet. */
function UnderWay({
  cancelRequestedAt,
  endRequestedAt,
}: Pick<TaskDetailAnswer, 'cancelRequestedAt' | 'endRequestedAt'>) {
  const { taskDetails: texts } = useTexts();
  const format = useFormat();
  const since = cancelRequestedAt ?? endRequestedAt;
  if (since === null) return null;
  return (
    <Alert
      type="info"
      showIcon
      title={cancelRequestedAt === null ? texts.endUnderWay : texts.cancelUnderWay}
      description={texts.underWayText(format.time(since))}
    />
  );
}

function AwaitingApproval({ task }: { task: TaskDetailAnswer }) {
  const { taskDetails: texts } = useTexts();
  const [decision, setDecision] = useState<'approve' | 'reject'>();
  return (
    <>
      <Alert
        type="warning"
        showIcon
        title={texts.awaitingApproval}
        description={texts.awaitingApprovalText(task.startedBy ?? '', task.counts.total)}
        action={
          <div className={styles['decisions']}>
            <ActionButton type="primary" onClick={() => setDecision('approve')}>
              {texts.approve}
            </ActionButton>
            <ActionButton danger onClick={() => setDecision('reject')}>
              {texts.reject}
            </ActionButton>
          </div>
        }
      />
      <Suspense fallback={null}>
        {decision && <DecisionDialog task={task} decision={decision} onClose={() => setDecision(undefined)} />}
      </Suspense>
    </>
  );
}
