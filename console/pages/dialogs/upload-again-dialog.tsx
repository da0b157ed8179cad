import { InboxOutlined } from '@ant-design/icons';
import { Modal, Progress, Upload } from 'antd';
import { useCallback, useEffect, useRef, useState } from 'react';
import { ProblemAlert } from '../../components/problem-alert.js';
import { useServerIsAway } from '../../data/connection.js';
import { useRepairFirmware } from '../../data/firmware.js';
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
  const [sent, setSent] = useState(0);
  const abort = useRef(new AbortController());
  useEffect(() => () => abort.current.abort(), []);
  const onProgress = useCallback(
    (done: number, total: number) => setSent(total === 0 ? 0 : Math.floor((100 * done) / total)),
    [],
  );

  const choose = (chosen: File) => {
    setFile(chosen);
    repair.reset();
    return false;
  };
  const send = async () => {
    if (!file) return;
    // The second click of a double click asks for the same upload, which the same signal ends.
    if (abort.current.signal.aborted) abort.current = new AbortController();
    const upload = { file, onProgress, signal: abort.current.signal };
    const repaired = await repair.mutateAsync(upload).catch(() => undefined); // shown below
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
      onCancel={() => (repair.isPending ? abort.current.abort() : onClose())}
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
      {repair.isPending && <Progress percent={sent} aria-label={texts.sending} />}
      <ProblemAlert error={repair.error} />
    </Modal>
  );
}
