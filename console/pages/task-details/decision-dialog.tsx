import { Input } from 'antd';
import { useState } from 'react';
import type { TaskDetailAnswer } from '../../../api/schemas.js';
import { ProblemAlert } from '../../components/problem-alert.js';
import { RequestDialog } from '../../components/request-dialog.js';
import { useServerIsAway } from '../../data/connection.js';
import { useDecide } from '../../data/tasks.js';
import { useTexts } from '../../texts/language.js';

const REMARK_CHARACTERS_MAX = 500;

interface DecisionDialogProps {
  readonly task: TaskDetailAnswer;
  readonly decision: 'approve' | 'reject';
  readonly onClose: () => void;
}

/** What a second operator says of a large batch, with a remark. */
export default function DecisionDialog({ task, decision, onClose }: DecisionDialogProps) {
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
    <RequestDialog
      title={isApproval ? texts.approveTitle(task.counts.total) : texts.rejectTitle}
      okText={isApproval ? texts.approve : texts.reject}
      okButtonProps={{ danger: !isApproval, disabled: isAway }}
      isPending={decide.isPending}
      onOk={() => void confirm().catch(() => undefined)} // shown below
      cancelText={frame.keep}
      onCancel={onClose}
    >
      <label>
        {texts.remark}
        {/* One line: the API takes no line feeds. */}
        <Input value={remark} maxLength={REMARK_CHARACTERS_MAX} onChange={(event) => setRemark(event.target.value)} />
      </label>
      <ProblemAlert error={decide.error} />
    </RequestDialog>
  );
}
