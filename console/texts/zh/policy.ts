import type { Texts } from '../en/index.js';

export const policy: Texts['policy'] = {
  minutes: '分钟',
  hours: '小时',
  allowDowngrade: '允许降级：运行更高版本的设备也升级到此版本',
  fields: {
    offlineTimeoutMs: '等待离线设备',
    responseTimeoutMs: '通知后的响应时间',
    stallTimeoutMs: '无进度时间',
    confirmationTimeoutMs: '100 % 后上报新版本',
    offlineMidUpdateMs: '等待升级中途离线的设备',
    overallTimeoutMs: '从首次进度到结束',
    soakMs: '须保持新版本的时间',
  },
};
