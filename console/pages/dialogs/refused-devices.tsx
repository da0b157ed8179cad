import { Button } from 'antd';
import { ApiError } from '../../../api/client-core.js';
import { useFormat } from '../../texts/format.js';
import { useTexts } from '../../texts/language.js';

type Refused = readonly { readonly deviceName: string; readonly problem: string }[];

/** The devices that a refusal names. */
export const refusedDevices = (error: unknown): Refused =>
  error instanceof ApiError ? (error.problem.devices ?? []) : [];

interface RefusedDevicesProps {
  readonly devices: Refused;
  readonly onTakeOff: (deviceNames: readonly string[]) => void;
}

/** Devices that can't take part, each with its problem, and a way to go on without them. */
export function RefusedDevices({ devices, onTakeOff }: RefusedDevicesProps) {
  const { batch: texts } = useTexts();
  const format = useFormat();
  if (devices.length === 0) return null;
  return (
    <div style={{ marginTop: 8 }}>
      {/* All of them, in little space. It scrolls, so it takes the focus. */}
      <ul
        tabIndex={0}
        aria-label={texts.refusedDevices}
        style={{ maxHeight: 160, overflowY: 'auto', margin: '0 0 8px', paddingInlineStart: 20 }}
      >
        {devices.map(({ deviceName, problem }) => (
          <li key={deviceName}>
            <strong>{deviceName}</strong>: <span lang="en">{problem}</span>
          </li>
        ))}
      </ul>
      <Button size="small" onClick={() => onTakeOff(devices.map(({ deviceName }) => deviceName))}>
        {texts.takeOff(format.number(devices.length))}
      </Button>
    </div>
  );
}
