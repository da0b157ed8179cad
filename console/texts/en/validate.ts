export const validate = {
  title: (firmware: string) => `Validate ${firmware}`,
  text: 'The firmware is tried on these devices first. When the verification ends, it may be used for a batch update.',
  pick: 'Devices, those that are online first',
  search: 'Search by device name',
  chosen: (count: number) => (count === 1 ? '1 device chosen' : `${count} devices chosen`),
  transient: 'Connects now and then: it gets the update when it asks for it',
  revoked: 'Revoked: it may not sign in, so it is not notified',
  offline: 'Offline: it is notified when it comes online',
  start: (count: number) => (count === 1 ? 'Validate on 1 device' : `Validate on ${count} devices`),
  chooseFirst: 'Choose at least one device',
  advanced: 'Advanced: time limits, downgrades',
  none: 'No device matches',
};
