import type { Texts } from '../en/index.js';

export const firmwareDetails: Texts['firmwareDetails'] = {
  title: '固件详情',
};
