import type { Texts } from '../en/index.js';

export const deviceDetails: Texts['deviceDetails'] = {
  title: '设备详情',
};
