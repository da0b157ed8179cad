import type { Texts } from '../en/index.js';

export const signIn: Texts['signIn'] = {
  title: '登录 Ferry',
  text: '面向设备的固件升级服务',
  token: '令牌',
  tokenRequired: '请输入令牌',
  tokenHelp: '令牌在服务首次启动时显示，并保存在数据目录的 admin-token 文件中。',
  signIn: '登录',
  withLink: '正在通过链接登录……',
};
