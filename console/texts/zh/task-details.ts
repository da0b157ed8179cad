import type { Texts } from '../en/index.js';

export const taskDetails: Texts['taskDetails'] = {
  title: '任务详情',
};
