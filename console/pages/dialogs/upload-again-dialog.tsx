import { InboxOutlined } from '@ant-design/icons';
import { Modal, Progress, Upload } from 'antd';
import { useState } from 'react';
import { ProblemAlert } from '../../components/problem-alert.js';
import { useServerIsAway } from '../../data/connection.js';
import { useRepairFirmware } from '../../data/firmware.js';
import { useUploadProgress } from '../../data/upload-progress.js';
import { useFormat } from '../../texts/format.js';
import { useTexts } from '../../texts/language.js';

interface UploadAgainDialogProps {
  readonly firmware: { readonly id: string; readonly name: string; readonly version: string };
  readonly onClose: () => void;
}

/** Takes the file that a firmware was added with once more. */
export default function UploadAgainDialog({ firmware, onClose }: UploadAgainDialogProps) {
  const { firmware: texts } = useTexts();
  const format = useFormat();
  const isAway = useServerIsAway();
  const repair = useRepairFirmware(firmware.id);
  const [file, setFile] = useState<File>();
  const upload = useUploadProgress();

  const choose = (chosen: File) => {
    setFile(chosen);
    repair.reset();
    return false;
  };
  const send = async () => {
    if (!file) return;
    const repaired = await repair.mutateAsync({ file, ...upload.begin() }).catch(() => undefined); // shown below
    if (repaired) onClose();
  };
  return (
    <Modal
      open
      title={texts.uploadAgainTitle(`${firmware.name} ${firmware.version}`)}
      okText={texts.uploadAgain}
      okButtonProps={{ disabled: isAway || !file }}
      confirmLoading={repair.isPending}
      onOk={() => void send()}
      cancelText={texts.cancel}
      onCancel={() => (repair.isPending ? upload.end() : onClose())}
      mask={{ closable: false }}
    >
      <p>{texts.uploadAgainText}</p>
      <Upload.Dragger
        beforeUpload={choose}
        maxCount={1}
        fileList={[]}
        disabled={repair.isPending}
        aria-label={texts.dropHere}
      >
        <p>
          <InboxOutlined style={{ fontSize: 32 }} />
        </p>
        <p>{file ? `${file.name} · ${format.bytes(file.size)}` : texts.dropHere}</p>
      </Upload.Dragger>
      {repair.isPending && <Progress percent={upload.percent} aria-label={texts.sending} />}
      <ProblemAlert error={repair.error} />
    </Modal>
  );
}
