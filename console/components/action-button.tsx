import { Button, Tooltip, type ButtonProps } from 'antd';
import { useServerIsAway } from '../data/connection.js';
import { useTexts } from '../texts/language.js';

interface ActionButtonProps extends ButtonProps {
  /** Why it can't be done now: the button is disabled and says so. */
  readonly reason?: string | undefined;
}

/** Whatever changes something at the server: it can't while the server is away. */
export function ActionButton({ reason, disabled, ...props }: ActionButtonProps) {
  const isAway = useServerIsAway();
  const { frame } = useTexts();
  const why = isAway ? frame.away : reason;
  const button = <Button {...props} disabled={disabled === true || why !== undefined} />;
  if (why === undefined) return button;
  return (
    <Tooltip title={why}>
      {/* A disabled button has no events of its own, and no focus: its reason has both. */}
      <span tabIndex={0} role="note" aria-label={why} style={{ display: 'inline-block', cursor: 'not-allowed' }}>
        {button}
      </span>
    </Tooltip>
  );
}
