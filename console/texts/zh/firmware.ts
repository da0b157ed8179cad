import type { Texts } from '../en/index.js';

export const firmware: Texts['firmware'] = {
  title: '固件升级',
};
