import type { Texts } from '../en/index.js';

export const words: Texts['words'] = {
  device: '设备',
  firmware: '固件',
  version: '版本',
  module: '模块',
  status: '状态',
  protocol: { mqtt: 'MQTT', http: 'HTTP', coap: 'CoAP' },
  online: '在线',
  offline: '离线',
  revoked: '已吊销',
  taskKind: { verification: '验证', batch: '批量升级' },
  taskStatus: {
    pending: '待开始',
    'awaiting-approval': '待审批',
    running: '进行中',
    paused: '已暂停',
    completed: '已完成',
    cancelled: '已取消',
    rejected: '已驳回',
  },
  trustUndecided: '信任未定',
  firmwareStatus: { unverified: '未验证', verifying: '验证中', verified: '已验证' },
  count: {
    pending: '待升级',
    notified: '已通知',
    upgrading: '升级中',
    succeeded: '成功',
    failed: '失败',
    cancelled: '已取消',
  },
  cause: {
    'download-failed': '下载失败',
    'verification-failed': '校验失败',
    'extraction-failed': '解压或烧写失败',
    'update-failed': '升级失败',
    'device-busy': '上一次升级尚未结束',
    'offline-expired': '一直未上线',
    'no-response': '已通知但无响应',
    stalled: '不再上报进度',
    'version-unconfirmed': '一直未上报新版本',
    'fell-back': '已回退到其他版本',
    'unreachable-transient': '一直未请求升级',
  },
  waiting: {
    'its-turn': (since) => `自 ${since} 起排队等待`,
    online: (since, until) =>
      `自 ${since} 起离线，上线后将收到通知${until === null ? '' : `；到 ${until} 仍未上线则失败`}`,
    query: (since, until) =>
      `自 ${since} 起未请求升级，请求时即可获得${until === null ? '' : `；到 ${until} 仍未请求则失败`}`,
    response: (since, until) => `自 ${since} 通知后无响应${until === null ? '' : `；${until} 将再次通知或判为失败`}`,
    progress: (since, until) => `最近一次进度：${since}${until === null ? '' : `；到 ${until} 仍无进度则失败`}`,
    return: (since, until) =>
      `升级中途自 ${since} 起离线，上线后继续${until === null ? '' : `；到 ${until} 仍未上线则失败`}`,
    confirmation: (since, until) =>
      `自 ${since} 起进度为 100 %，上报新版本后即成功${until === null ? '' : `；到 ${until} 仍未上报则失败`}`,
    'firmware-file': (since, until) =>
      `自 ${since} 起暂缓：存储的固件文件已损坏${until === null ? '' : `；到 ${until} 仍未修复则失败`}`,
    task: (since, until) =>
      `自 ${since} 起暂缓：任务目前不发送通知${until === null ? '' : `；到 ${until} 仍未继续则失败`}`,
    soak: (since, until) => `自 ${since} 起运行新版本${until === null ? '' : `；到 ${until} 仍在运行则成功`}`,
  },
  outcome: {
    succeeded: (count, total) => `${total} 台中 ${count} 台成功`,
    failed: (count, total) => `${total} 台中 ${count} 台失败`,
    cancelled: (count, total) => `${total} 台中 ${count} 台已取消`,
  },
  failing: (share) => `${share} 失败`,
};
