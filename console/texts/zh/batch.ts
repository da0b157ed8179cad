import type { Texts } from '../en/index.js';

export const batch: Texts['batch'] = {
  title: (firmware) => `批量升级到 ${firmware}`,
  versions: '待升级版本：运行其中任一版本的设备将被升级',
  devicesOn: (count) => `${count} 台设备`,
  claimed: '正在其他批量升级中',
  noVersions: '还没有设备上报版本。',
  onlySome: '仅限以下设备（可选）：每行一个名称，或上传 CSV 文件',
  fromFile: '选择 CSV 文件',
  invalidLines: (lines) => `以下行不是设备名称：${lines}`,
  preview: '预览',
  devices: (count) => `共 ${count} 台设备`,
  online: (count) => `${count} 台在线：立即通知`,
  offline: (count) => `${count} 台离线：上线后通知`,
  transient: (count) => `${count} 台短暂连接：请求时获得升级`,
  busy: (count) => `${count} 台尚未完成上一次升级：将会失败`,
  conflict: '升级任务冲突',
  conflictText: '另一个进行中的批量升级已包含这些版本。请等待其结束、取消它，或选择其他版本。',
  start: (count) => `升级 ${count} 台设备`,
  chooseFirst: '请至少选择一个待升级版本',
  conflictFirst: '请先解决冲突',
  refused: '目前无法发起',
};
