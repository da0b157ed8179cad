import { Permission } from './auth.js';
import type { ApiDeps } from './deps.js';
import { json, operation } from './operation.js';
import { newRouter } from './router.js';
import { Scope } from './scope.js';
import { ConnectionInfoSchema } from './schemas.js';

const getConnectionInfo = operation({
  id: 'getConnectionInfo',
  method: 'get',
  path: '/v1/connection-info',
  tag: 'Devices',
  summary: 'Show where devices connect',
  permission: Permission.READ,
  scope: Scope.SELF,
  responses: { 200: json(ConnectionInfoSchema, 'Hosts and ports') },
  problems: [],
});

/** What an operator must tell a device, beside its secret. */
export const connectionInfoRoutes = ({ mqttAddress }: Pick<ApiDeps, 'mqttAddress'>) =>
  newRouter().openapi(getConnectionInfo, (c) => c.json({ mqtt: mqttAddress() }, 200));
