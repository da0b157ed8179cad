export const deviceDetails = {
  title: 'Device details',
};
