import { lazy, Suspense } from 'react';
import type { FirmwareAnswer } from '../../../api/schemas.js';
import { ConfirmDestructive } from '../../components/confirm-destructive.js';
import { useDeleteFirmware } from '../../data/firmware.js';
import { useTexts } from '../../texts/language.js';

/** What a dialog needs comes when it is first opened. */
const ValidateFirmwareDialog = lazy(async () => ({
  default: (await import('./validate-dialog.js')).ValidateFirmwareDialog,
}));
const BatchUpdateDialog = lazy(async () => ({ default: (await import('./batch-update-dialog.js')).BatchUpdateDialog }));

/** What was asked to be done with a firmware. */
export interface Asked {
  readonly what: 'validate' | 'batch' | 'delete';
  readonly firmware: FirmwareAnswer;
}

/** The dialogs of a firmware: for its row in the list, and for its page. */
export function FirmwareDialogs({
  asked,
  onClose,
  onDeleted,
}: {
  asked: Asked | undefined;
  onClose: () => void;
  onDeleted?: () => void;
}) {
  const { firmware: texts } = useTexts();
  const remove = useDeleteFirmware();
  if (!asked) return null;
  const { what, firmware } = asked;
  if (what !== 'delete') {
    const Dialog = what === 'validate' ? ValidateFirmwareDialog : BatchUpdateDialog;
    return (
      <Suspense fallback={null}>
        <Dialog firmware={firmware} onClose={onClose} />
      </Suspense>
    );
  }
  return (
    <ConfirmDestructive
      open
      title={texts.deleteTitle(`${firmware.name} ${firmware.version}`)}
      text={texts.deleteText}
      action={texts.delete}
      onConfirm={async () => {
        await remove.mutateAsync(firmware.id);
        onDeleted?.();
      }}
      onClose={onClose}
    />
  );
}
