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

  it('asks for the public URL when the service listens on every address: devices download from it', () => {
    expect(() => loadConfig({ FERRY_HOST: '0.0.0.0' })).toThrow('FERRY_PUBLIC_URL');
    expect(loadConfig({ FERRY_HOST: '0.0.0.0', FERRY_PUBLIC_URL: 'http://updates.example/' })).toMatchObject({
      publicUrl: 'http://updates.example',
    });
  });
});
