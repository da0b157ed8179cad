import type { DeviceProtocol } from './device-update.js';

interface DeviceWithSecret {
  readonly deviceName: string;
  readonly deviceSecret: string;
  readonly protocol: DeviceProtocol;
}

const quoted = (cell: string): string => (/[",]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

/** Names and secrets as operators keep them, wherever they get them; the form is that of a registration by CSV. */
export const secretsCsv = (devices: readonly DeviceWithSecret[]): string =>
  [
    'deviceName,deviceSecret,protocol',
    ...devices.map(({ deviceName, deviceSecret, protocol }) =>
      [deviceName, deviceSecret, protocol].map(quoted).join(','),
    ),
    '',
  ].join('\n');
