import { useMemo } from 'react';
import { Link } from 'react-router';
import type { DeviceAnswer } from '../../../api/schemas.js';
import { devicePath, taskPath } from '../../app/paths.js';
import { Clip } from '../../components/clip.js';
import type { Column } from '../../components/data-table.js';
import { DeviceUpdateStatus, Presence } from '../../components/status.js';
import { Ago } from '../../components/time.js';
import { useTexts } from '../../texts/language.js';

export function useDeviceColumns(): readonly Column<DeviceAnswer>[] {
  const { devices: texts, words } = useTexts();
  return useMemo(
    () => [
      {
        title: words.device,
        key: 'device',
        render: (device) => (
          <Clip text={device.deviceName}>
            <Link to={devicePath(device)}>{device.deviceName}</Link>
          </Clip>
        ),
      },
      { title: words.status, key: 'online', render: (device) => <Presence device={device} /> },
      {
        title: words.version,
        key: 'version',
        render: ({ version }) => (version === null ? <em>{texts.versionUnknown}</em> : <Clip text={version} />),
      },
      {
        title: texts.protocol,
        key: 'protocol',
        from: 'lg',
        render: ({ protocol }) => words.protocol[protocol],
      },
      {
        title: texts.lastSeen,
        key: 'lastSeen',
        from: 'lg',
        render: ({ lastSeenAt }) => <Ago at={lastSeenAt} />,
      },
      {
        title: texts.currentUpdate,
        key: 'currentUpdate',
        render: ({ currentUpdate }) =>
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
