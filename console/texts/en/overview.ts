export const overview = {
  title: 'Overview',
  devices: 'Devices',
  online: 'Online',
  offline: 'Offline',
  failures: 'Failures in the last 7 days',
  runningTasks: 'Running tasks',
  task: (kind: string, firmware: string) => `${kind}: ${firmware}`,
  noTasks: 'No task is running.',
  noTasksRemedy: 'Add a firmware, validate it on a few devices, then update them all.',
  toFirmware: 'To Firmware update',
  attention: 'Waits for you',
  nothingWaits: 'Nothing waits for you.',
  approve: (firmware: string, devices: number) =>
    devices === 1
      ? `The update of 1 device to ${firmware} waits for a second operator: decide it`
      : `The update of ${devices} devices to ${firmware} waits for a second operator: decide it`,
  validate: (firmware: string) => `${firmware} is not verified: validate it`,
  reinitiate: (firmware: string, failed: number) =>
    failed === 1
      ? `1 device failed to get ${firmware}: look at it`
      : `${failed} devices failed to get ${firmware}: look at them`,
  versions: 'Versions',
  versionUnknown: 'Not reported',
  noDevices: 'There are no devices yet.',
  noDevicesRemedy: 'Create a product and add devices to it; they show up here as soon as they connect.',
  toDevices: 'To Devices',
  noFailures: 'No device has failed.',
  latestFailures: 'Latest failures',
  devicesOf: (count: number) => (count === 1 ? '1 device' : `${count} devices`),
  paused: (firmware: string) => `The update to ${firmware} is paused: its stored file is damaged`,
};
