import { Alert } from 'antd';
import { Link } from 'react-router';
import type { FirmwareAnswer } from '../../../api/schemas.js';
import { taskPath } from '../../app/paths.js';
import { useFirmware } from '../../data/firmware.js';
import { useFormat } from '../../texts/format.js';
import { useTexts } from '../../texts/language.js';
import { UploadAgain } from './upload-again.js';

/** Before many devices are updated: what speaks against the firmware. A verification counts whatever its results. */
export function HowVerified({ firmware }: { firmware: FirmwareAnswer }) {
  const { batch: texts, firmwareDetails } = useTexts();
  const format = useFormat();
  const { data } = useFirmware(firmware.id);
  const { lastVerification } = data ?? firmware;
  const file = data?.file ?? 'intact';
  return (
    <>
      {file !== 'intact' && (
        <Alert
          type="error"
          showIcon
          style={{ marginBottom: 12 }}
          title={firmwareDetails.damaged[file]}
          description={firmwareDetails.damagedText}
          action={<UploadAgain firmware={firmware} />}
        />
      )}
      {lastVerification && lastVerification.succeeded < lastVerification.total && (
        <Alert
          type={lastVerification.succeeded === 0 ? 'error' : 'warning'}
          showIcon
          style={{ marginBottom: 12 }}
          title={texts.verifiedBy(format.number(lastVerification.succeeded), format.number(lastVerification.total))}
          description={<Link to={taskPath(lastVerification.taskId)}>{texts.verifiedByText}</Link>}
        />
      )}
    </>
  );
}
