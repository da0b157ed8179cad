import { Alert, Checkbox, Collapse, Input, Upload, Button } from 'antd';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router';
import type { BatchPreviewAnswer, FirmwareAnswer } from '../../../api/schemas.js';
import { deviceNameProblem } from '../../../domain/names.js';
import { taskPath } from '../../app/paths.js';
import { PolicyFields, policyOf, type PolicyInput } from '../../components/policy-fields.js';
import { ProblemAlert } from '../../components/problem-alert.js';
import { RequestDialog } from '../../components/request-dialog.js';
import { tableText } from '../../components/table-file.js';
import { useServerIsAway } from '../../data/connection.js';
import { useBatchPreview, useCreateBatchUpdate } from '../../data/firmware.js';
import { useIdempotencyKey } from '../../data/idempotency.js';
import { useVersions } from '../../data/products.js';
import { useFormat } from '../../texts/format.js';
import { useTexts } from '../../texts/language.js';
import { HowVerified } from './how-verified.js';
import { parseNames, withoutNames } from './parse-names.js';
import { refusedDevices, RefusedDevices } from './refused-devices.js';

/** Updates every device that runs one of the chosen versions, or those of them that are listed. */
export function BatchUpdateDialog({ firmware, onClose }: { firmware: FirmwareAnswer; onClose: () => void }) {
  const { batch: texts, firmware: words, validate } = useTexts();
  const format = useFormat();
  const navigate = useNavigate();
  const isAway = useServerIsAway();
  const [sourceVersions, setSourceVersions] = useState<readonly string[]>([]);
  const [list, setList] = useState('');
  const [policy, setPolicy] = useState<PolicyInput>({});
  const create = useCreateBatchUpdate(firmware.id);
  const [key, changed] = useIdempotencyKey(create.reset);

  const { names, invalidLines } = parseNames(list, deviceNameProblem);
  // A list that yields no name is not the absence of a list: that would be the whole fleet.
  const isNameless = list.trim() !== '' && names.length === 0;
  const limits = policyOf(policy);
  const request = {
    sourceVersions: [...sourceVersions],
    ...(names.length > 0 && { deviceNames: names }),
    ...(limits && { policy: limits }),
  };
  const isAsked = sourceVersions.length > 0 && !isNameless;
  const preview = useBatchPreview(firmware.id, isAsked ? request : undefined);
  const data = isAsked ? preview.data : undefined;
  // What is shown meanwhile is of the request before.
  const isCounting = isAsked && (preview.isPending || preview.isPlaceholderData);
  const reason = () => {
    if (sourceVersions.length === 0) return texts.chooseFirst;
    if (isNameless) return texts.nameless;
    if (isCounting) return texts.counting;
    if (data && data.conflicts.length > 0) return texts.conflictFirst;
    return data?.refusal ? texts.refused : undefined;
  };
  const setNames = changed(setList);
  const takeOff = (gone: readonly string[]) => setNames(withoutNames(list, gone));
  const refused = refusedDevices(create.error);
  const start = async () => {
    const task = await create.mutateAsync({ ...request, idempotencyKey: key }).catch(() => undefined); // shown below
    if (!task) return;
    onClose();
    void navigate(taskPath(task.id));
  };
  return (
    <RequestDialog
      width={720}
      title={texts.title(`${firmware.name} ${firmware.version}`)}
      okText={reason() ?? texts.start(format.number(data?.devices ?? 0))}
      okButtonProps={{ disabled: isAway || reason() !== undefined || data === undefined || invalidLines.length > 0 }}
      isPending={create.isPending}
      onOk={() => void start()}
      cancelText={words.cancel}
      onCancel={onClose}
    >
      <HowVerified firmware={firmware} />
      <Versions firmware={firmware} chosen={sourceVersions} onChange={changed(setSourceVersions)} />
      <DeviceList value={list} onChange={setNames} isNameless={isNameless} invalidLines={invalidLines} />
      {data && <Preview preview={data} isOutdated={isCounting} onTakeOff={takeOff} />}
      <Collapse
        ghost
        items={[
          {
            key: 'policy',
            label: validate.advanced,
            children: <PolicyFields kind="batch" value={policy} onChange={changed(setPolicy)} />,
          },
        ]}
      />
      <ProblemAlert
        error={create.error ?? preview.error}
        devices={refused.length > 0 ? <RefusedDevices devices={refused} onTakeOff={takeOff} /> : undefined}
      />
    </RequestDialog>
  );
}

interface VersionsProps {
  readonly firmware: FirmwareAnswer;
  readonly chosen: readonly string[];
  readonly onChange: (versions: readonly string[]) => void;
}

function Versions({ firmware, chosen, onChange }: VersionsProps) {
  const { batch: texts } = useTexts();
  const format = useFormat();
  const versions = useVersions(firmware.productKey, firmware.module);
  const items = (versions.data?.items ?? []).filter(({ version }) => version !== null && version !== firmware.version);
  return (
    <fieldset style={{ border: 0, padding: 0, margin: 0 }}>
      <legend>{texts.versions}</legend>
      {versions.data && items.length === 0 && <p>{texts.noVersions}</p>}
      <Checkbox.Group
        style={{ flexDirection: 'column', marginBlock: 8 }}
        value={[...chosen]}
        onChange={(values) => onChange(values.map(String))}
        options={items.map(({ version, devices, claimedBy }) => ({
          value: version ?? '',
          label: (
            <>
              <strong>{version}</strong> {texts.devicesOn(format.number(devices))}
              {claimedBy && (
                <>
                  {' · '}
                  <Link to={taskPath(claimedBy.taskId)}>{texts.claimed}</Link>
                </>
              )}
            </>
          ),
        }))}
      />
    </fieldset>
  );
}

interface DeviceListProps {
  readonly value: string;
  readonly onChange: (list: string) => void;
  readonly isNameless: boolean;
  readonly invalidLines: readonly number[];
}

function DeviceList({ value, onChange, isNameless, invalidLines }: DeviceListProps) {
  const { batch: texts } = useTexts();
  const format = useFormat();
  const take = (file: File) => {
    void tableText(file).then(onChange);
    return false;
  };
  return (
    <div>
      <label htmlFor="batch-devices">{texts.onlySome}</label>
      <Input.TextArea id="batch-devices" rows={3} value={value} onChange={(event) => onChange(event.target.value)} />
      <Upload accept=".csv,text/csv,text/plain" beforeUpload={take} fileList={[]}>
        <Button size="small" style={{ marginTop: 8 }}>
          {texts.fromFile}
        </Button>
      </Upload>
      {isNameless && invalidLines.length === 0 && (
        <Alert
          type="error"
          showIcon
          role="alert"
          style={{ marginTop: 8 }}
          title={texts.nameless}
          description={texts.namelessRemedy}
        />
      )}
      {invalidLines.length > 0 && (
        <Alert
          type="error"
          showIcon
          style={{ marginTop: 8 }}
          title={texts.invalidLines(format.list(invalidLines.slice(0, 20).map(String)))}
        />
      )}
    </div>
  );
}

interface PreviewProps {
  readonly preview: BatchPreviewAnswer;
  readonly isOutdated: boolean;
  readonly onTakeOff: (deviceNames: readonly string[]) => void;
}

function Preview({ preview, isOutdated, onTakeOff }: PreviewProps) {
  const { batch: texts, problems } = useTexts();
  const format = useFormat();
  const { devices, online, offline, transient, busy, conflicts, refusal, unorderedVersions } = preview;
  const lines = [
    [devices, texts.devices],
    [online, texts.online],
    [offline, texts.offline],
    [transient, texts.transient],
    [busy, texts.busy],
  ] as const;
  return (
    <section aria-label={texts.preview} aria-busy={isOutdated} style={{ marginTop: 16, opacity: isOutdated ? 0.5 : 1 }}>
      <strong>{texts.preview}</strong>
      <ul>
        {lines
          .filter(([count]) => count > 0)
          .map(([count, text]) => {
            const sentence = text(format.number(count));
            return <li key={sentence}>{sentence}</li>;
          })}
      </ul>
      {unorderedVersions.length > 0 && (
        <Alert
          type="warning"
          showIcon
          title={texts.perhapsNewer(format.list(unorderedVersions))}
          description={texts.perhapsNewerText}
        />
      )}
      {conflicts.length > 0 && (
        <Alert
          type="error"
          showIcon
          role="alert"
          title={texts.conflict}
          description={
            <>
              <div>{texts.conflictText}</div>
              <ul>
                {conflicts.map(({ taskId, firmware, sourceVersions }) => (
                  <li key={taskId}>
                    <Link to={taskPath(taskId)}>
                      {problems.conflict(format.list(sourceVersions), `${firmware.name} ${firmware.version}`)}
                    </Link>
                  </li>
                ))}
              </ul>
            </>
          }
        />
      )}
      {refusal !== null && (
        <Alert
          type="warning"
          showIcon
          title={problems.byCode[refusal.code].title}
          description={
            <>
              <div>{problems.byCode[refusal.code].remedy}</div>
              <RefusedDevices devices={refusal.devices ?? []} onTakeOff={onTakeOff} />
            </>
          }
        />
      )}
    </section>
  );
}
