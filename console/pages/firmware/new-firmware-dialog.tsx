import { InboxOutlined } from '@ant-design/icons';
import { Button, Form, Input, Modal, Progress, Segmented, Upload } from 'antd';
import { useState } from 'react';
import { ApiError } from '../../../api/client-core.js';
import type { FirmwarePageAnswer } from '../../../api/schemas.js';
import { firmwareNameProblem, signatureProblem } from '../../../domain/names.js';
import { showFieldProblems } from '../../components/field-problems.js';
import { ProblemAlert } from '../../components/problem-alert.js';
import { useServerIsAway } from '../../data/connection.js';
import { useAddFirmware } from '../../data/firmware.js';
import { newIdempotencyKey } from '../../data/idempotency.js';
import { useUploadProgress } from '../../data/upload-progress.js';
import { useFormat } from '../../texts/format.js';
import { useTexts } from '../../texts/language.js';

interface Fields {
  readonly name: string;
  readonly version: string;
  readonly module?: string;
  readonly signMethod: 'MD5' | 'SHA256';
  readonly signature?: string;
}

interface NewFirmwareDialogProps {
  readonly productKey: string;
  /** Of the service's policy; unknown until the list is there. */
  readonly limits: FirmwarePageAnswer['limits'] | undefined;
  /** The product trusts keys: it takes signed firmware only. */
  readonly isSigned: boolean;
  readonly onClose: () => void;
}

/** The seed's limits, until the service has told its own. */
const USUAL = { nameCharactersMax: 32, fileBytesMax: 10 * 1024 * 1024 };

export function NewFirmwareDialog({ productKey, limits, isSigned, onClose }: NewFirmwareDialogProps) {
  const { firmware: texts } = useTexts();
  const format = useFormat();
  const isAway = useServerIsAway();
  const [form] = Form.useForm<Fields>();
  const [file, setFile] = useState<File>();
  const [fileProblem, setFileProblem] = useState<string>();
  const [isSending, setIsSending] = useState(false);
  const [key, setKey] = useState(newIdempotencyKey);
  const [wasUnsigned, setWasUnsigned] = useState(false);
  const [shown, setShown] = useState<readonly string[]>([]);
  const upload = useUploadProgress();
  const add = useAddFirmware();
  // Other products take no signature, which nobody could check. A key may also be trusted since the page was loaded.
  const asksSignature = isSigned || wasUnsigned;
  const { nameCharactersMax, fileBytesMax } = { ...USUAL, ...limits };

  const choose = (chosen: File) => {
    setFile(chosen);
    setKey(newIdempotencyKey());
    setFileProblem(chosen.size > fileBytesMax ? texts.fileTooLarge(format.bytes(fileBytesMax)) : undefined);
    return false;
  };
  const takeSignature = (chosen: File) => {
    void chosen.text().then((text) => {
      form.setFieldValue('signature', text.trim());
      setKey(newIdempotencyKey());
      return form.validateFields(['signature']).catch(() => undefined); // shown at the field
    });
    return false;
  };
  const submit = async (fields: Fields) => {
    if (!file) return setFileProblem(texts.fileNeeded);
    if (file.size > fileBytesMax) return;
    setIsSending(true);
    try {
      const { name, version, module = '', signMethod, signature = '' } = fields;
      const optional = { ...(module !== '' && { module }), ...(signature !== '' && { signature }) };
      const request = { name, version, signMethod, ...optional, productKey, file, idempotencyKey: key };
      await add.mutateAsync({ ...request, ...upload.begin() });
      onClose();
    } catch (error) {
      setShown(showFieldProblems(form, error));
      setWasUnsigned(wasUnsigned || (error instanceof ApiError && error.code === 'firmware-signature-invalid'));
    } finally {
      setIsSending(false);
    }
  };
  const wasAborted = add.error instanceof DOMException && add.error.name === 'AbortError';
  return (
    <Modal
      open
      title={texts.newFirmware}
      okText={texts.add}
      okButtonProps={{ disabled: isAway || isSending }}
      onOk={form.submit}
      cancelText={texts.cancel}
      onCancel={() => (isSending ? upload.end() : onClose())}
      mask={{ closable: false }}
    >
      <Form<Fields>
        form={form}
        layout="vertical"
        disabled={isSending}
        initialValues={{ signMethod: 'SHA256' }}
        onValuesChange={() => setKey(newIdempotencyKey())}
        onFinish={(fields) => void submit(fields)}
      >
        <Form.Item
          name="name"
          label={texts.name}
          extra={texts.nameRule(nameCharactersMax)}
          required
          rules={[{ validator: (_, name: string | undefined) => checkName(name ?? '', nameCharactersMax, texts) }]}
        >
          <Input autoFocus />
        </Form.Item>
        <Form.Item
          name="version"
          label={texts.version}
          extra={texts.versionHelp}
          rules={[{ required: true, message: texts.versionNeeded }]}
        >
          <Input maxLength={64} />
        </Form.Item>
        <Form.Item name="module" label={texts.module}>
          <Input placeholder="default" maxLength={64} />
        </Form.Item>
        <Form.Item name="signMethod" label={texts.signMethod}>
          <Segmented options={['SHA256', 'MD5']} />
        </Form.Item>
        <Form.Item required {...(fileProblem !== undefined && { validateStatus: 'error' as const, help: fileProblem })}>
          <Upload.Dragger beforeUpload={choose} maxCount={1} fileList={[]} aria-label={texts.dropHere}>
            <p>
              <InboxOutlined style={{ fontSize: 32 }} />
            </p>
            <p>{file ? `${file.name} · ${format.bytes(file.size)}` : texts.dropHere}</p>
            <p style={{ opacity: 0.75 }}>{texts.fileRule(format.bytes(fileBytesMax))}</p>
          </Upload.Dragger>
        </Form.Item>
        {asksSignature && (
          <Form.Item label={texts.signature} htmlFor="signature" extra={texts.signatureHelp} required>
            <div style={{ display: 'flex', gap: 8 }}>
              <Form.Item
                name="signature"
                noStyle
                rules={[{ validator: (_, text: string | undefined) => checkSignature(text ?? '', texts) }]}
              >
                <Input />
              </Form.Item>
              <Upload accept=".sig,text/plain" beforeUpload={takeSignature} fileList={[]}>
                <Button>{texts.signatureFile}</Button>
              </Upload>
            </div>
          </Form.Item>
        )}
      </Form>
      {isSending && <Progress percent={upload.percent} aria-label={texts.sending} />}
      {!isSending && !wasAborted && <ProblemAlert error={add.error} shownFields={shown} />}
    </Modal>
  );
}

/** In the seed's words, as it is typed. */
async function checkName(name: string, max: number, texts: { nameRule: (max: number) => string }): Promise<void> {
  if (firmwareNameProblem(name, max) !== undefined) throw new Error(texts.nameRule(max));
}

async function checkSignature(text: string, texts: { signatureRule: string }): Promise<void> {
  if (signatureProblem(text) !== undefined) throw new Error(texts.signatureRule);
}
