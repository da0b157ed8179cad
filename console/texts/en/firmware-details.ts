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
  damaged: {
    corrupt: 'The stored file is damaged',
    missing: 'The stored file is missing',
  },
  damagedText:
    'It is served to no device, and tasks that use it are paused. Upload the same file again: that repairs it.',
};
