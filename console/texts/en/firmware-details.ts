export const firmwareDetails = {
  title: 'Firmware details',
};
