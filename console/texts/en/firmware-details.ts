export const firmwareDetails = {
  title: 'Firmware details',
  facts: 'Facts',
  product: 'Product',
  size: 'Size',
  created: 'Added',
  verified: 'Verified',
  deleted: 'Deleted',
  records: 'Verifications and batch updates',
  none: 'Not used yet',
  noneText: 'Validate it on a few devices: that comes before a batch update.',
};
