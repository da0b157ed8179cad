import type { TableProps } from 'antd';
import { useMemo } from 'react';
import { Link } from 'react-router';
import type { DeviceAnswer } from '../../../api/schemas.js';
import { devicePath, taskPath } from '../../app/paths.js';
import { DeviceUpdateStatus, Presence } from '../../components/status.js';
import { Ago } from '../../components/time.js';
import { useTexts } from '../../texts/language.js';

export function useDeviceColumns(): NonNullable<TableProps<DeviceAnswer>['columns']> {
  const { devices: texts, words } = useTexts();
  return useMemo(
    () => [
      {
        title: words.device,
        key: 'device',
        render: (_, device) => <Link to={devicePath(device)}>{device.deviceName}</Link>,
      },
      { title: words.status, key: 'online', render: (_, device) => <Presence device={device} /> },
      {
        title: words.version,
        key: 'version',
        render: (_, { version }) => version ?? <em>{texts.versionUnknown}</em>,
      },
      {
        title: texts.protocol,
        key: 'protocol',
        responsive: ['md'],
        render: (_, { protocol }) => words.protocol[protocol],
      },
      {
        title: texts.lastSeen,
        key: 'lastSeen',
        responsive: ['md'],
        render: (_, { lastSeenAt }) => <Ago at={lastSeenAt} />,
      },
      {
        title: texts.currentUpdate,
        key: 'currentUpdate',
        render: (_, { currentUpdate }) =>
          currentUpdate ? (
            <Link to={taskPath(currentUpdate.taskId)}>
              <DeviceUpdateStatus update={currentUpdate} />
            </Link>
          ) : (
            '–'
          ),
      },
    ],
    [texts, words],
  );
}
