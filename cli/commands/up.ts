import { Command } from 'commander';
import type { Running, UpOptions } from '../../worker/up.js';
import { aborted, interruption, type Io } from '../io.js';
import { exampleText } from '../operating-command.js';
import { CommandFailed } from '../usage-error.js';
import { WaitingLine } from '../waiting-line.js';

/** Starts the whole service in this process. */
export type StartService = (env: NodeJS.ProcessEnv, options: UpOptions) => Promise<Running>;

/** Loaded only when it is needed: the operating commands start fast without it. */
export const startService: StartService = async (env, options) => (await import('../../worker/up.js')).up(env, options);

export const upCommand = (io: Io, start: StartService): Command =>
  new Command('up')
    .description('run the service; configured by environment variables (docs/configuration.md)')
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
  const waiting = new WaitingLine(io.err);
  const running = await start(io.env, { signal, onSlow: waiting.begin })
    .catch((error: unknown) => {
      if (signal.aborted) return undefined;
      throw error;
    })
    .finally(() => waiting.end());
  if (!running) {
    io.err.write('\nStopped before it was ready.\n');
    return;
  }
  try {
    io.err.write(banner(running, { withSecrets: io.err.isTTY === true }));
    const broken = await Promise.race([running.broken, aborted(signal)]);
    if (broken) throw new CommandFailed(`The service stops: ${broken.message}`);
    io.err.write('\nStopping; a second Ctrl-C ends it at once.\n');
  } finally {
    await running.stop();
  }
}

/**
 * Where everything is. It goes to the terminal, beside the log, which is on standard output.
 *
 * @param withSecrets a person sees it: what is written elsewhere may be kept, and read by others
 */
export function banner(running: Running, { withSecrets }: { readonly withSecrets: boolean }): string {
  const { httpUrl, consoleUrl, mqttUrl, mqttsUrl, temporalUiUrl, signInUrl } = running;
  const token = tokenLine(running, withSecrets);
  const lines = [
    ['Console', signInUrl === null || !withSecrets ? consoleUrl : `${signInUrl}   (signs in once, within a day)`],
    ['API docs', `${httpUrl}/docs`],
    ['API', `${httpUrl}/v1`],
    ['MQTT', mqttUrl],
    ...(mqttsUrl === null || mqttsUrl === mqttUrl ? [] : [['MQTT by TLS', mqttsUrl]]),
    ...(temporalUiUrl === null ? [] : [['Temporal UI', temporalUiUrl]]),
    ...(token === undefined ? [] : [['Admin token', token]]),
  ];
  return `\nFerry is ready.\n\n${lines.map(([name = '', value = '']) => `  ${name.padEnd(12)}${value}`).join('\n')}\n\n`;
}

function tokenLine({ adminToken, adminTokenIsNew, adminTokenFile }: Running, withSecrets: boolean): string | undefined {
  if (withSecrets && adminTokenIsNew) return `${adminToken}   (shown this once; kept in the data folder)`;
  return withSecrets || adminTokenFile === null ? undefined : `in the file ${adminTokenFile}`;
}
