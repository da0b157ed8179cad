/** Keys of the query cache: live events and actions reach what they change by them. */
export const keys = {
  session: ['session'],
  overview: ['overview'],
  connectionInfo: ['connection-info'],
  products: ['products'],
  versions: (productKey?: string, module?: string) => compact('versions', productKey, module),
  firmwareList: (query?: object) => compact('firmware-list', query),
  firmware: (firmwareId?: string) => compact('firmware', firmwareId),
  batchPreview: (firmwareId: string, batch: object) => ['batch-preview', firmwareId, batch],
  taskList: (query?: object) => compact('task-list', query),
  task: (taskId?: string) => compact('task', taskId),
  timeline: (taskId?: string) => compact('timeline', taskId),
  latestMinutes: (taskId: string) => ['latest-minutes', taskId],
  deviceUpdates: (taskId?: string, query?: object) => compact('device-updates', taskId, query),
  deviceList: (productKey?: string, query?: object) => compact('device-list', productKey, query),
  device: (productKey?: string, deviceName?: string) => compact('device', productKey, deviceName),
  deviceHistory: (productKey?: string, deviceName?: string, query?: object) =>
    compact('device-history', productKey, deviceName, query),
} as const;

/** A shorter key stands for all that begin with it. */
const compact = (...parts: (string | object | undefined)[]): readonly (string | object)[] =>
  parts.filter((part) => part !== undefined);
