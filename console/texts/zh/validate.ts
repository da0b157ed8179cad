import type { Texts } from '../en/index.js';

export const validate: Texts['validate'] = {
  title: (firmware) => `验证 ${firmware}`,
  text: '先在这些设备上试用固件。验证结束后即可用于批量升级。',
  pick: '设备（在线的在前）',
  search: '按设备名称搜索',
  chosen: (count) => `已选 ${count} 台设备`,
  transient: '短暂连接：请求时才能获得升级',
  revoked: '已吊销：不可登录，因此收不到通知',
  offline: '离线：上线后会收到通知',
  start: (count) => `在 ${count} 台设备上验证`,
  chooseFirst: '请至少选择一台设备',
  advanced: '高级：时间限制、降级',
  none: '没有符合条件的设备',
  remark: '备注',
};
