import type { Texts } from '../en/index.js';

export const signIn: Texts['signIn'] = {
  title: '登录 Ferry',
  text: '面向设备的固件升级服务',
  token: '令牌',
  tokenRequired: '请输入令牌',
  tokenHelp: '由管理员发给您的令牌；管理员令牌在服务首次启动时显示，并保存在数据目录的 admin-token 文件中。',
  signIn: '登录',
  tokenRefused: { title: '令牌无效', description: '请复制完整的令牌，前后不要有空格。' },
  linkRefused: { title: '链接已使用或已过期', description: '链接只能在一天内登录一次。请使用令牌登录。' },
  withLink: '正在通过链接登录……',
  again: '请重新登录',
  againText: '您的会话已结束。已填写的内容仍会保留。',
};
