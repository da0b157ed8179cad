export const firmware = {
  title: 'Firmware update',
};
