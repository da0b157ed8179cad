import type { Texts } from '../en/index.js';

export const firmwareDetails: Texts['firmwareDetails'] = {
  title: '固件详情',
  facts: '基本信息',
  product: '产品',
  size: '大小',
  created: '添加时间',
  verified: '验证时间',
  deleted: '删除时间',
  records: '验证与批量升级',
  none: '尚未使用',
  noneText: '请先在少量设备上验证，然后才能批量升级。',
  damaged: {
    corrupt: '存储的文件已损坏',
    missing: '存储的文件缺失',
  },
  damagedText: '该文件不会下发给任何设备，使用它的任务已暂停。请重新上传同一文件以修复。',
};
