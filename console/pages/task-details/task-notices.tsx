import { Alert, Button } from 'antd';
import { lazy, Suspense, useState } from 'react';
import type { TaskDetailAnswer } from '../../../api/schemas.js';
import { awaitsApproval, isTaskOpen } from '../../../domain/update-task.js';
import { ActionButton } from '../../components/action-button.js';
import { noticeableFailures } from '../../components/outcome.js';
import { useUrlState } from '../../components/url-state.js';
import { useSession } from '../../data/session.js';
import { useFormat } from '../../texts/format.js';
import { useTexts } from '../../texts/language.js';
import { UploadAgain } from '../dialogs/upload-again.js';
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
        <Alert
          type="error"
          showIcon
          title={texts.pausedDamaged}
          description={texts.pausedDamagedText}
          action={<UploadAgain firmware={task.firmware} />}
        />
      )}
      <Failing task={task} />
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

/** So much fails that somebody should look before the rest is updated. */
function Failing({ task }: { task: TaskDetailAnswer }) {
  const { taskDetails: texts, words } = useTexts();
  const format = useFormat();
  const [, set] = useUrlState();
  const { counts, status, failuresByCause } = task;
  const share = noticeableFailures(counts);
  if (share === null || (status !== 'running' && status !== 'paused')) return null;
  const causes = Object.entries(failuresByCause) as [keyof typeof words.cause, number][];
  const [most] = causes.sort(([, one], [, other]) => other - one);
  return (
    <Alert
      type="warning"
      showIcon
      title={texts.failing(
        format.number(counts.failed),
        format.number(counts.failed + counts.succeeded),
        format.percent(share),
      )}
      description={most && texts.failingText(words.cause[most[0]], format.number(most[1]))}
      action={
        <Button onClick={() => set({ tab: 'failed', cause: undefined }, { push: true })}>{texts.tabs.failed}</Button>
      }
    />
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
  const format = useFormat();
  const { data: session } = useSession();
  const isOwn = session?.name === task.startedBy;
  const reason = isOwn ? texts.ownBatch : undefined;
  const [decision, setDecision] = useState<'approve' | 'reject'>();
  return (
    <>
      <Alert
        type="warning"
        showIcon
        title={texts.awaitingApproval}
        description={texts.awaitingApprovalText(task.startedBy ?? '', format.number(task.counts.total))}
        action={
          <div className={styles['decisions']}>
            <ActionButton permission="tasks:run" type="primary" reason={reason} onClick={() => setDecision('approve')}>
              {texts.approve}
            </ActionButton>
            <ActionButton permission="tasks:run" danger reason={reason} onClick={() => setDecision('reject')}>
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
