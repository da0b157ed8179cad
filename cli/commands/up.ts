import { Command } from 'commander';
import type { Running } from '../../worker/up.js';
import { aborted, interruption, type Io } from '../io.js';
import { exampleText } from '../operating-command.js';
import { CommandFailed } from '../usage-error.js';

/** Starts the whole service in this process. */
export type StartService = (env: NodeJS.ProcessEnv, signal: AbortSignal) => Promise<Running>;

/** Loaded only when it is needed: the operating commands start fast without it. */
export const startService: StartService = async (env, signal) =>
  (await import('../../worker/up.js')).up(env, { signal });

export const upCommand = (io: Io, start: StartService): Command =>
  new Command('up')
    .description('run the service; configured by environment variables (see the README)')
    .addHelpText('after', exampleText(['ferry up', 'FERRY_DATA_DIR=/srv/ferry FERRY_HTTP_PORT=9000 ferry up']))
    .action(async () => {
      const { signal, dispose } = interruption(io);
      try {
        await runUntil(signal, io, start);
      } finally {
        dispose();
      }
    });

async function runUntil(signal: AbortSignal, io: Io, start: StartService): Promise<void> {
  const running = await start(io.env, signal).catch((error: unknown) => {
    if (signal.aborted) return undefined;
    throw error;
  });
  if (!running) {
    io.out.write('\nStopped before it was ready.\n');
    return;
  }
  try {
    io.out.write(banner(running));
    const broken = await Promise.race([running.broken, aborted(signal)]);
    if (broken) throw new CommandFailed(`The service stops: ${broken.message}`);
    io.out.write('\nStopping; a second Ctrl-C ends it at once.\n');
  } finally {
    await running.stop();
  }
}

export function banner(running: Running): string {
  const { httpUrl, mqttUrl, mqttsUrl, temporalUiUrl, adminToken, adminTokenIsNew, signInUrl } = running;
  const lines = [
    ['Console', signInUrl === null ? httpUrl : `${signInUrl}   (signs in once, within a day)`],
    ['API docs', `${httpUrl}/docs`],
    ['API', `${httpUrl}/v1`],
    ['MQTT', mqttUrl],
    ...(mqttsUrl === null || mqttsUrl === mqttUrl ? [] : [['MQTT by TLS', mqttsUrl]]),
    ...(temporalUiUrl === null ? [] : [['Temporal UI', temporalUiUrl]]),
    ...(adminTokenIsNew ? [['Admin token', `${adminToken}   (shown this once; kept in the data folder)`]] : []),
  ];
  return `\nFerry is ready.\n\n${lines.map(([name = '', value = '']) => `  ${name.padEnd(12)}${value}`).join('\n')}\n\n`;
}
