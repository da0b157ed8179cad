import { ConfigProvider, Modal, type ModalProps } from 'antd';

interface RequestDialogProps extends Omit<ModalProps, 'confirmLoading' | 'open'> {
  /** Its request is under way. */
  readonly isPending: boolean;
}

/**
 * A dialog that asks the server for something. While its request is under way it can't be closed, and its fields can't
 * be changed: the answer may be there once only, and it is about what was sent.
 */
export function RequestDialog({ isPending, children, ...props }: RequestDialogProps) {
  return (
    <Modal
      open
      {...props}
      confirmLoading={isPending}
      {...(isPending && LOCKED)}
      cancelButtonProps={{ ...props.cancelButtonProps, disabled: isPending }}
    >
      <ConfigProvider componentDisabled={isPending}>{children}</ConfigProvider>
    </Modal>
  );
}

const LOCKED = { closable: false, keyboard: false, mask: { closable: false } } as const;
