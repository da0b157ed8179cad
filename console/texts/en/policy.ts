export const policy = {
  minutes: 'minutes',
  hours: 'hours',
  allowDowngrade: 'Allow downgrades: also update devices that run a newer version',
  fields: {
    offlineTimeoutMs: 'Wait for offline devices',
    responseTimeoutMs: 'Response to a notification',
    stallTimeoutMs: 'Without any progress',
    confirmationTimeoutMs: 'New version after 100 %',
    offlineMidUpdateMs: 'Wait for devices that leave in mid-update',
    overallTimeoutMs: 'From the first progress to the end',
    soakMs: 'Must keep the new version for',
  },
};
