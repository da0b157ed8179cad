import { Alert, Input, Modal, Space } from 'antd';
import { useState } from 'react';
import type { TaskDetailAnswer } from '../../../api/schemas.js';
import { isTaskOpen } from '../../../domain/update-task.js';
import { ActionButton } from '../../components/action-button.js';
import { ProblemAlert } from '../../components/problem-alert.js';
import { useServerIsAway } from '../../data/connection.js';
import { useDecide } from '../../data/tasks.js';
import { useTexts } from '../../texts/language.js';

const REMARK_CHARACTERS_MAX = 500;

/** Why a task does not go on, and what a person can do about it. */
export function TaskNotices({ task }: { task: TaskDetailAnswer }) {
  const { taskDetails: texts } = useTexts();
  const { approval } = task;
  return (
    <>
      {task.waitingFor !== null && (
        <Alert type="warning" showIcon title={texts.engineAway} description={texts.engineAwayText} />
      )}
      {task.pausedCause !== null && (
        <Alert type="error" showIcon title={texts.pausedDamaged} description={texts.pausedDamagedText} />
      )}
      {task.needsApproval && approval === null && isTaskOpen(task.status) && <AwaitingApproval task={task} />}
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
          <Space>
            <ActionButton type="primary" onClick={() => setDecision('approve')}>
              {texts.approve}
            </ActionButton>
            <ActionButton danger onClick={() => setDecision('reject')}>
              {texts.reject}
            </ActionButton>
          </Space>
        }
      />
      {decision && <DecisionDialog task={task} decision={decision} onClose={() => setDecision(undefined)} />}
    </>
  );
}

interface DecisionDialogProps {
  readonly task: TaskDetailAnswer;
  readonly decision: 'approve' | 'reject';
  readonly onClose: () => void;
}

function DecisionDialog({ task, decision, onClose }: DecisionDialogProps) {
  const { taskDetails: texts, frame } = useTexts();
  const isAway = useServerIsAway();
  const decide = useDecide(task.id);
  const [remark, setRemark] = useState('');
  const isApproval = decision === 'approve';
  const confirm = async () => {
    await decide.mutateAsync({ decision, remark });
    onClose();
  };
  return (
    <Modal
      open
      title={isApproval ? texts.approveTitle(task.counts.total) : texts.rejectTitle}
      okText={isApproval ? texts.approve : texts.reject}
      okButtonProps={{ danger: !isApproval, disabled: isAway }}
      confirmLoading={decide.isPending}
      onOk={() => void confirm().catch(() => undefined)} // shown below
      cancelText={frame.keep}
      onCancel={onClose}
    >
      <label>
        {texts.remark}
        <Input.TextArea
          value={remark}
          rows={3}
          maxLength={REMARK_CHARACTERS_MAX}
          onChange={(event) => setRemark(event.target.value)}
        />
      </label>
      <ProblemAlert error={decide.error} />
    </Modal>
  );
}
