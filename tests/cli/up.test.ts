import { describe, expect, it } from 'vitest';
import { StartupError } from '../../worker/startup-error.js';
import type { Running } from '../../worker/up.js';
import { Terminal } from './terminal.js';

/** A service that runs nothing, to see how the command treats it. */
function service(changes: Partial<Running> = {}) {
  const calls: string[] = [];
  const running: Running = {
    httpUrl: 'http://127.0.0.1:8080',
    mqttUrl: 'mqtt://127.0.0.1:1883',
    mqttsUrl: null,
    temporalUiUrl: 'http://127.0.0.1:8233',
    temporalAddress: '127.0.0.1:7233',
    adminToken: 'the-token',
    adminTokenIsNew: true,
    signInUrl: 'http://127.0.0.1:8080/sign-in#link=once',
    broken: new Promise(() => undefined),
    stop: () => {
      calls.push('stop');
      return Promise.resolve();
    },
    ...changes,
  };
  return { calls, start: () => Promise.resolve(running) };
}

describe('ferry up', () => {
  it('shows the addresses and a new token once, and stops at a signal', async () => {
    const terminal = new Terminal();
    const { calls, start } = service();
    const up = terminal.run(['up'], { start });
    await terminal.shows('Ferry is ready.');
    for (const shown of [
      'http://127.0.0.1:8080/docs',
      'mqtt://127.0.0.1:1883',
      'http://127.0.0.1:8233',
      'the-token',
      '#link=once',
    ]) {
      expect(terminal.out).toContain(shown);
    }
    expect(calls).toEqual([]);
    terminal.signals.emit('SIGTERM');
    expect(await up).toMatchObject({ exitCode: 0, err: '' });
    expect(calls).toEqual(['stop']);
    expect(terminal.signals.listenerCount('SIGTERM')).toBe(0);
  });

  it('does not show a token that is known', async () => {
    const terminal = new Terminal();
    const up = terminal.run(['up'], service({ adminTokenIsNew: false }));
    await terminal.shows('Ferry is ready.');
    terminal.interrupt();
    expect((await up).out).not.toContain('the-token');
  });

  it('ends at once at the second signal', async () => {
    const terminal = new Terminal();
    let stopped: () => void = () => undefined;
    const stop = () => new Promise<void>((resolve) => (stopped = resolve));
    const up = terminal.run(['up'], service({ stop }));
    await terminal.shows('Ferry is ready.');
    terminal.interrupt();
    expect(terminal.exits).toEqual([]);
    terminal.interrupt();
    expect(terminal.exits).toEqual([130]);
    await terminal.shows('Stopping');
    stopped();
    await up;
  });

  it('tells one clear message when the service can not start', async () => {
    const start = () => Promise.reject(new StartupError('Port 8080 is in use. Set FERRY_HTTP_PORT.'));
    expect(await new Terminal().run(['up'], { start })).toEqual({
      exitCode: 1,
      out: '',
      err: 'error: Port 8080 is in use. Set FERRY_HTTP_PORT.\n',
    });
  });

  it('stops with exit code 1 when a part breaks that it can not do without', async () => {
    const { calls, start } = service({ broken: Promise.resolve(new Error('Temporal has ended')) });
    const { exitCode, err } = await new Terminal().run(['up'], { start });
    expect({ exitCode, err }).toEqual({ exitCode: 1, err: 'error: The service stops: Temporal has ended\n' });
    expect(calls).toEqual(['stop']);
  });
});

describe('ferry demo', () => {
  it('tells one clear message when the service can not start, and leaves no folder behind', async () => {
    let folder: string | undefined;
    const start = (env: NodeJS.ProcessEnv) => {
      folder = env['FERRY_DATA_DIR'];
      return Promise.reject(new StartupError('There is no Temporal to be had.'));
    };
    const { exitCode, err } = await new Terminal().run(['demo'], { start });
    expect({ exitCode, err }).toEqual({ exitCode: 1, err: 'error: There is no Temporal to be had.\n' });
    const { existsSync } = await import('node:fs');
    expect(folder).toMatch(/ferry-demo-/);
    expect(existsSync(folder ?? '')).toBe(false);
  });

  it('stops the service when it is interrupted', async () => {
    const terminal = new Terminal();
    const { calls, start } = service({ httpUrl: 'http://127.0.0.1:9' });
    const demo = terminal.run(['demo'], {
      start: async () => {
        terminal.interrupt();
        return start();
      },
    });
    expect((await demo).exitCode).toBe(130);
    expect(calls).toEqual(['stop']);
  });
});
