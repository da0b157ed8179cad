import type { ConnectionInfoAnswer } from '../../../api/schemas.js';

interface Device {
  readonly productKey: string;
  readonly deviceName: string;
  /** Where this page was loaded from: the service's machine, when it listens at every address. */
  readonly pageHost: string;
}

/** What a device needs to connect by MQTT, beside its secret; with TLS where it is offered. */
export function connectionLines(
  { mqtt }: ConnectionInfoAnswer,
  { productKey, deviceName, pageHost }: Device,
): string[] {
  const { port, tlsPort, clientCertificates } = mqtt;
  const ports = [
    ...(tlsPort === null ? [] : [`${tlsPort} with TLS, securemode=2`]),
    ...(port === null ? [] : [`${port} without TLS, securemode=3`]),
  ];
  const secureMode = tlsPort === null ? 3 : 2;
  return [
    `host      ${mqtt.host ?? pageHost}`,
    ...ports.map((line, i) => `${i === 0 ? 'port      ' : '   or     '}${line}`),
    ...(clientCertificates ? ['TLS       asks for a certificate of the device'] : []),
    `clientId  ${productKey}.${deviceName}|securemode=${secureMode},signmethod=hmacsha256,_ss=1|`,
    `username  ${deviceName}&${productKey}`,
    'password  hex(HMAC-SHA256(deviceSecret,',
    `            "clientId${productKey}.${deviceName}deviceName${deviceName}productKey${productKey}"))`,
  ];
}
