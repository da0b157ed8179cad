import type { Texts } from '../en/index.js';

export const tasks: Texts['tasks'] = {
  title: '升级记录',
  text: '所有验证和批量升级，最新的在前。',
  kind: '类型',
  anyKind: '全部类型',
  anyStatus: '全部状态',
  progress: '进度',
  started: '发起时间',
  by: (name) => `发起人：${name}`,
  again: '重新发起',
  clear: '清除筛选',
  none: '还没有升级记录',
  noneRemedy: '添加固件并在少量设备上验证后，记录会显示在这里。',
  toFirmware: '前往固件升级',
  noneFound: '没有符合条件的记录',
  noneFoundRemedy: '请更换筛选条件。',
};
