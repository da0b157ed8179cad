import { Alert, Button } from 'antd';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { ApiError } from '../../api/client-core.js';
import { taskPath } from '../app/paths.js';
import { isUnreachable } from '../data/client.js';
import { useTexts } from '../texts/language.js';
import { useFormat } from '../texts/format.js';

interface ProblemAlertProps {
  readonly error: unknown;
  /** Asks again. */
  readonly onRetry?: (() => unknown) | undefined;
  /** Fields that show their own problem: they are not named again. */
  readonly shownFields?: readonly string[];
  /** In place of the devices that are wrong: a list that can do something about them. */
  readonly devices?: ReactNode;
}

/** Names at most; a list of thousands of devices helps nobody. */
const NAMED_MAX = 10;

/** A refusal or a fault: what happened, what to do, the server's own words, and each field or device that is wrong. */
export function ProblemAlert({ error, onRetry, shownFields = [], devices }: ProblemAlertProps) {
  const { problems, frame } = useTexts();
  if (error === null || error === undefined) return null;
  const { title, remedy } = describe(error, problems);
  return (
    <Alert
      type="error"
      showIcon
      role="alert"
      title={title}
      description={
        <>
          <div>{remedy}</div>
          {error instanceof ApiError && <Details error={error} shownFields={shownFields} ownDevices={devices} />}
        </>
      }
      action={onRetry && <Button onClick={() => void onRetry()}>{frame.retry}</Button>}
    />
  );
}

function describe(error: unknown, problems: ReturnType<typeof useTexts>['problems']) {
  if (error instanceof ApiError && error.problem.code !== undefined) return problems.byCode[error.problem.code];
  return isUnreachable(error) ? problems.unreachable : problems.unknown;
}

interface DetailsProps {
  readonly error: ApiError;
  readonly shownFields: readonly string[];
  readonly ownDevices: ReactNode;
}

function Details({ error, shownFields, ownDevices }: DetailsProps) {
  const { problems } = useTexts();
  const format = useFormat();
  const { conflicts = [], requestId } = error.problem;
  const devices = ownDevices === undefined ? (error.problem.devices ?? []) : [];
  const fields = error.errors.filter(({ field }) => !shownFields.includes(field));
  const rows = [
    ...fields.map(({ field, message }) => ({ key: field, text: <>{`${field}: ${message}`}</> })),
    ...devices.map(({ deviceName, problem }) => ({ key: deviceName, text: <>{`${deviceName}: ${problem}`}</> })),
    ...conflicts.map(({ taskId, firmware, sourceVersions }) => ({
      key: taskId,
      text: (
        <Link to={taskPath(taskId)}>
          {problems.conflict(format.list(sourceVersions), `${firmware.name} ${firmware.version}`)}
        </Link>
      ),
    })),
  ];
  return (
    <>
      {ownDevices}
      {rows.length === 0 && ownDevices === undefined && <div lang="en">{error.detail}</div>}
      {rows.length > 0 && (
        <ul style={{ margin: '4px 0 0', paddingInlineStart: 20 }}>
          {rows.slice(0, NAMED_MAX).map(({ key, text }) => (
            <li key={key}>{text}</li>
          ))}
          {rows.length > NAMED_MAX && <li>{problems.more(rows.length - NAMED_MAX)}</li>}
        </ul>
      )}
      {requestId !== undefined && <code>{requestId}</code>}
    </>
  );
}
