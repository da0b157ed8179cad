import type { Texts } from '../en/index.js';

export const devices: Texts['devices'] = {
  title: '设备',
  text: '每台设备的版本、在线状态以及当前的升级。',
  search: '按设备名称搜索',
  version: '版本',
  anyVersion: '全部版本',
  presence: '在线或离线',
  anyPresence: '全部',
  protocol: '协议',
  lastSeen: '最近在线',
  currentUpdate: '当前升级',
  versionUnknown: '未上报',
  none: '还没有设备。',
  noneRemedy: '请为此产品添加设备；每台设备都会获得用于连接的密钥。',
  noneFound: '没有符合条件的设备。',
  noneFoundRemedy: '请搜索名称的其他部分，或清除筛选条件。',
  clear: '清除筛选条件',
  noProduct: '还没有产品。',
  noProductRemedy: '产品是一类设备：请先创建产品，再添加设备。',
};
