import type { FirmwareAnswer } from '../../../api/schemas.js';
import { ConfirmDestructive } from '../../components/confirm-destructive.js';
import { useDeleteFirmware } from '../../data/firmware.js';
import { useTexts } from '../../texts/language.js';
import { BatchUpdateDialog } from './batch-update-dialog.js';
import { ValidateFirmwareDialog } from './validate-dialog.js';

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
  if (what === 'validate') return <ValidateFirmwareDialog firmware={firmware} onClose={onClose} />;
  if (what === 'batch') return <BatchUpdateDialog firmware={firmware} onClose={onClose} />;
  return (
    <ConfirmDestructive
      open
      title={texts.deleteTitle(`${firmware.name} ${firmware.version}`)}
      text={texts.deleteText}
      devices={0}
      action={texts.delete}
      onConfirm={async () => {
        await remove.mutateAsync(firmware.id);
        onDeleted?.();
      }}
      onClose={onClose}
    />
  );
}
