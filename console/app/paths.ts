/** Every page, by its pattern; the server answers exactly these with the console (api/console.ts). */
export const PATHS = {
  overview: '/',
  signIn: '/sign-in',
  firmware: '/firmware',
  firmwareDetails: '/firmware/:firmwareId',
  tasks: '/tasks',
  taskDetails: '/tasks/:taskId',
  devices: '/devices',
  deviceDetails: '/devices/:productKey/:deviceName',
} as const;

export const firmwarePath = (firmwareId: string): string => `/firmware/${encodeURIComponent(firmwareId)}`;
export const taskPath = (taskId: string): string => `/tasks/${encodeURIComponent(taskId)}`;
export const devicePath = ({ productKey, deviceName }: { productKey: string; deviceName: string }): string =>
  `/devices/${encodeURIComponent(productKey)}/${encodeURIComponent(deviceName)}`;
