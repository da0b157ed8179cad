import { Button, Tooltip, type ButtonProps } from 'antd';
import type { Permission } from '../../api/auth.js';
import { useServerIsAway } from '../data/connection.js';
import { useSession } from '../data/session.js';
import { useTexts } from '../texts/language.js';

interface ActionButtonProps extends ButtonProps {
  /** What the action needs; without it, the button is disabled and says so. */
  readonly permission: Permission;
  /** It is about all products: not for a token of one. */
  readonly isForAllProducts?: boolean;
  /** Why it can't be done now: the button is disabled and says so. */
  readonly reason?: string | undefined;
}

/** Whatever changes something at the server: it can't while the server is away, nor without the permission. */
export function ActionButton({ permission, isForAllProducts, reason, disabled, ...props }: ActionButtonProps) {
  const isAway = useServerIsAway();
  const { frame } = useTexts();
  const forbidden = useForbidden(permission, isForAllProducts);
  const why = isAway ? frame.away : (forbidden ?? reason);
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

/** Why who is signed in may not do something; undefined if they may. */
function useForbidden(permission: Permission, isForAllProducts = false): string | undefined {
  const { data: session } = useSession();
  const { frame } = useTexts();
  if (!session) return undefined;
  if (!session.permissions.includes(permission)) return frame.mayNot(frame.roles[session.role]);
  return isForAllProducts && session.productKey !== null ? frame.onlyProduct(session.productKey) : undefined;
}
