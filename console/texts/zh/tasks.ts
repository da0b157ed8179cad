import type { Texts } from '../en/index.js';

export const tasks: Texts['tasks'] = {
  title: '升级记录',
};
