import type { Texts } from '../en/index.js';

export const validate: Texts['validate'] = {
  title: '验证固件',
};
