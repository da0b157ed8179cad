import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { createApiClient } from '../../api/client.js';
import type { Running } from '../../worker/up.js';
import { CAST } from '../demo/cast.js';
import { demoEnvironment } from '../demo/environment.js';
import { INDENT, Screen } from '../demo/screen.js';
import { STEPS, Story } from '../demo/story.js';
import { aborted, interruption, type Io } from '../io.js';
import { exampleText } from '../operating-command.js';
import type { Fleet } from '../simulator/fleet.js';
import { WaitingLine } from '../waiting-line.js';
import { pairs } from '../table.js';
import { CommandFailed, Interrupted } from '../usage-error.js';
import type { StartService } from './up.js';

interface DemoOptions {
  readonly keep?: boolean;
}

export const demoCommand = (io: Io, start: StartService): Command =>
  new Command('demo')
    .description(
      'the whole job in about a minute, once Temporal is there: 30 simulated devices, a validation, a batch, failures, a second try',
    )
    .option('--keep', 'leave the service and its devices running until Ctrl-C, and keep its data folder')
    .addHelpText('after', exampleText(['ferry demo', 'ferry demo --keep']))
    .action(async (options: DemoOptions) => {
      const { signal, dispose } = interruption(io);
      const folder = await mkdtemp(join(tmpdir(), 'ferry-demo-'));
      try {
        await perform(io, { start, folder, signal, keep: options.keep === true });
      } finally {
        if (options.keep !== true) await rm(folder, { recursive: true, force: true });
        dispose();
      }
    });

interface Stage {
  readonly start: StartService;
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly keep: boolean;
}

async function perform(io: Io, { start, folder, signal, keep }: Stage): Promise<void> {
  const screen = new Screen(io.out, STEPS);
  screen.title(
    `Ferry: a firmware update for ${CAST.length} simulated devices, from the first upload to the last record`,
  );
  screen.next('Start the service: API, MQTT broker, Temporal and worker, in one process tree');
  const waiting = new WaitingLine(io.out, INDENT);
  const running = await start(await demoEnvironment(io.env, join(folder, 'data')), {
    signal,
    onSlow: waiting.begin,
  }).finally(() => waiting.end());
  let fleet: Fleet | undefined;
  try {
    screen.show(addresses(running));
    const story = new Story({
      api: createApiClient({ url: running.httpUrl, token: running.adminToken }),
      mqttUrl: running.mqttUrl,
      screen,
      folder,
      signal,
      onFleet: (created) => (fleet = created),
    });
    await Promise.race([story.tell(), interrupted(signal), broken(running)]);
    screen.show(`\n${addresses(running)}`);
    if (!keep) {
      screen.say(
        'These were the addresses; the service stops now.\n' +
          'Next: "npm run demo -- --keep" leaves it running, to look around in the console; ' +
          '"npm start" runs a service of your own, which keeps its data.',
      );
      return;
    }
    screen.say(
      `Token: ${running.adminToken}\nData: ${folder}\n` +
        'Next: open the console by its link, which signs in once. It runs until Ctrl-C.',
    );
    await Promise.race([aborted(signal), broken(running)]);
  } finally {
    await fleet?.stop();
    await running.stop();
  }
}

const addresses = ({ httpUrl, consoleUrl, signInUrl, mqttUrl, temporalUiUrl }: Running): string =>
  pairs([
    ['Console', signInUrl ?? consoleUrl],
    ['API docs', `${httpUrl}/docs`],
    ['Temporal UI', temporalUiUrl],
    ['MQTT', mqttUrl],
  ]);

async function interrupted(signal: AbortSignal): Promise<never> {
  await aborted(signal);
  throw new Interrupted();
}

async function broken(running: Running): Promise<never> {
  throw new CommandFailed(`The service stops: ${(await running.broken).message}`);
}
