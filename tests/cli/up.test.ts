import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { StartupError } from '../../worker/startup-error.js';
import type { Running, UpOptions } from '../../worker/up.js';
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
    adminTokenFile: '/data/admin-token',
    consoleUrl: 'http://127.0.0.1:8080',
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
  it('shows the addresses and a new token once on a terminal, and stops at a signal', async () => {
    const terminal = new Terminal({}, true);
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
      expect(terminal.err).toContain(shown);
    }
    expect(calls).toEqual([]);
    terminal.signals.emit('SIGTERM');
    expect(await up).toMatchObject({ exitCode: 0, out: '' });
    expect(calls).toEqual(['stop']);
    expect(terminal.signals.listenerCount('SIGTERM')).toBe(0);
  });

  it('does not show a token that is known', async () => {
    const terminal = new Terminal({}, true);
    const up = terminal.run(['up'], service({ adminTokenIsNew: false }));
    await terminal.shows('Ferry is ready.');
    terminal.interrupt();
    expect((await up).err).not.toContain('the-token');
  });

  it('writes no secret where it is kept: it names the file of the token, and leaves its output to the log', async () => {
    const terminal = new Terminal();
    const up = terminal.run(['up'], service());
    await terminal.shows('Ferry is ready.');
    terminal.interrupt();
    const { out, err } = await up;
    expect(out).toBe('');
    expect(err).toContain('in the file /data/admin-token');
    expect(err).not.toContain('the-token');
    expect(err).not.toContain('#link=');
  });

  it('says what it waits for, and for how long by now', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const terminal = new Terminal();
    const up = terminal.run(['up'], {
      start: async (_env, { onSlow }) => {
        onSlow?.('Building the Temporal CLI …');
        await vi.advanceTimersByTimeAsync(95_000);
        throw new StartupError('It could not be built.');
      },
    });
    expect((await up).err).toBe(
      [
        'Building the Temporal CLI …',
        'Building the Temporal CLI … 30 s',
        'Building the Temporal CLI … 1 min 0 s',
        'Building the Temporal CLI … 1 min 30 s',
        'error: It could not be built.\n',
      ].join('\n'),
    );
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
    expect(exitCode).toBe(1);
    expect(err).toMatch(/\nerror: The service stops: Temporal has ended\n$/);
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

  it('says what its first step waits for', async () => {
    const start = (_env: NodeJS.ProcessEnv, { onSlow }: UpOptions) => {
      onSlow?.('Building the Temporal CLI (about 5 minutes, once) …');
      return Promise.reject(new StartupError('It could not be built.'));
    };
    const { out } = await new Terminal().run(['demo'], { start });
    expect(out).toMatch(/Start the service[\s\S]*Building the Temporal CLI/);
  });

  it('shows a link that signs in at the console', async () => {
    const terminal = new Terminal();
    const demo = terminal.run(['demo'], {
      start: async () => {
        terminal.interrupt();
        return service({ httpUrl: 'http://127.0.0.1:9' }).start();
      },
    });
    expect((await demo).out).toContain('http://127.0.0.1:8080/sign-in#link=once');
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
