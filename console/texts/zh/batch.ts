import type { Texts } from '../en/index.js';

export const batch: Texts['batch'] = {
  title: '批量升级',
};
