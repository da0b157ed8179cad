import type { Texts } from '../en/index.js';

export const deviceDetails: Texts['deviceDetails'] = {
  title: '设备详情',
  facts: '基本信息',
  product: '产品',
  protocol: '协议',
  versions: '版本',
  unknown: '尚未上报',
  lastSeen: '最近在线',
  mayNotSignIn: '不可登录',
  registered: '注册时间',
  current: '当前升级',
  noCurrent: '该设备没有进行中的升级。',
  history: '全部升级',
  none: '从未升级',
  noneText: '该设备的升级过程会显示在这里，从首次通知到最终结果。',
  attempt: (count) => `第 ${count} 次`,
  notifiedTimes: (count) => (count === 1 ? '已通知' : `已通知 ${count} 次，最近一次`),
  began: '已受理',
  started: '首次进度',
  ended: '已结束',
};
