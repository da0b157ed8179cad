import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../worker/config.js';

describe('the configuration', () => {
  it('has a default for everything', () => {
    expect(loadConfig({})).toMatchObject({
      host: '127.0.0.1',
      httpPort: 8080,
      mqttPort: 1883,
      temporal: { address: undefined, port: 7233, uiPort: 8233, retentionDays: 90 },
      durability: 'process',
      retention: { recordsDays: null, at: { hour: 3, minute: 0 } },
      firmwareLimits: { nameCharactersMax: 32, fileBytesMax: 10 * 1024 * 1024, firmwareMax: 100 },
    });
  });

  it('takes an empty variable for one that is not set', () => {
    expect(loadConfig({ FERRY_HTTP_PORT: '', TEMPORAL_ADDRESS: '' })).toMatchObject({ httpPort: 8080 });
  });

  it('names every variable that is wrong in one message', () => {
    const env = {
      FERRY_HTTP_PORT: 'eighty',
      FERRY_MQTT_PORT: '70000',
      FERRY_PUBLIC_URL: 'ftp://x',
      FERRY_DURABILITY: 'eternal',
      FERRY_ADMIN_TOKEN: 'short',
      DATABASE_URL: 'postgres://x',
    };
    const message = (() => {
      try {
        loadConfig(env);
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    })();
    for (const name of Object.keys(env)) expect(message).toContain(name);
    expect(message).not.toContain('short');
  });

  it('deletes records only when it is told after how many days', () => {
    const env = { FERRY_RECORDS_DAYS: '90', FERRY_RETENTION_AT: '22:05' };
    expect(loadConfig(env)).toMatchObject({ retention: { recordsDays: 90, at: { hour: 22, minute: 5 } } });
    expect(() => loadConfig({ FERRY_RECORDS_DAYS: '0' })).toThrow('FERRY_RECORDS_DAYS: must be at least 1');
    expect(() => loadConfig({ FERRY_RETENTION_AT: '24:00' })).toThrow('FERRY_RETENTION_AT: must be a local time');
  });

  it('asks for the public URL when the service listens on every address: devices download from it', () => {
    expect(() => loadConfig({ FERRY_HOST: '0.0.0.0', FERRY_INSECURE: '1' })).toThrow('FERRY_PUBLIC_URL');
    const env = { FERRY_HOST: '0.0.0.0', FERRY_INSECURE: '1', FERRY_PUBLIC_URL: 'http://updates.example/' };
    expect(loadConfig(env)).toMatchObject({ publicUrl: 'http://updates.example' });
  });

  it('lets strangers listen in only when that is asked for', () => {
    const open = { FERRY_HOST: '192.0.2.1' };
    const tls = { FERRY_TLS_CERT: 'c.pem', FERRY_TLS_KEY: 'k.pem' };
    expect(() => loadConfig(open)).toThrow('FERRY_INSECURE=1');
    expect(loadConfig({ ...open, FERRY_INSECURE: '1' })).toMatchObject({ mqttPlain: true });
    expect(loadConfig({ ...open, ...tls })).toMatchObject({ mqttPlain: false });
    expect(loadConfig({ ...open, ...tls, FERRY_MQTT_PLAIN: 'on' })).toMatchObject({ mqttPlain: true });
    for (const host of ['127.0.0.1', '127.1.2.3', 'localhost', '::1']) {
      expect(loadConfig({ FERRY_HOST: host })).toMatchObject({ mqttPlain: true });
    }
  });

  it.each([
    [{ FERRY_TLS_CERT: 'c.pem' }, 'FERRY_TLS_KEY'],
    [{ FERRY_TLS_CLIENT_CA: 'ca.pem' }, 'FERRY_TLS_CERT'],
    [{ FERRY_TLS_CERT: 'c', FERRY_TLS_KEY: 'k', FERRY_TLS_CLIENT_AUTH: 'required' }, 'FERRY_TLS_CLIENT_CA'],
    [{ FERRY_MQTT_PLAIN: 'off' }, 'no device could connect'],
    [{ FERRY_SIGN_METHODS: 'sha256,rot13' }, 'FERRY_SIGN_METHODS'],
    [{ FERRY_SECRET_KEY: 'short' }, 'FERRY_SECRET_KEY'],
  ])('%j is refused, naming what is missing', (env, word) => {
    expect(() => loadConfig(env)).toThrow(word);
  });

  it('takes several secret keys, and some of the sign methods', () => {
    const key = Buffer.alloc(32, 7).toString('base64');
    const { secretKeys, brokerLimits } = loadConfig({
      FERRY_SECRET_KEY: `${key}, ${key}`,
      FERRY_SIGN_METHODS: 'sha256, sha1',
    });
    expect(secretKeys).toHaveLength(2);
    expect(brokerLimits.signMethods).toEqual(['sha256', 'sha1']);
  });
});
