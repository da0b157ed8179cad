import { InvalidArgumentError, Option, type Command } from 'commander';
import { parseDuration, wholeNumber } from '../durations.js';
import { aborted, interruption, type Io } from '../io.js';
import { liveLine } from '../live-line.js';
import { operatingCommand } from '../operating-command.js';
import { openSession, type Session } from '../session.js';
import { BEHAVIOUR_TEXTS } from '../simulator/behaviour.js';
import { createFleet, type Fleet } from '../simulator/fleet.js';
import { fleetLine } from '../simulator/fleet-line.js';
import { draw, parseMixture, type Mixture } from '../simulator/mixture.js';
import { seededRandom } from '../simulator/random.js';
import {
  readRoster,
  register,
  rosterFolder,
  rosterPath,
  simulatedNames,
  writeRoster,
  type Roster,
} from '../simulator/roster.js';
import { ownUsage, usageText } from '../simulator/usage.js';

interface SimulateOptions {
  readonly devices: number;
  readonly product: string;
  readonly behaviour: Mixture;
  readonly version: string;
  readonly seed: number;
  readonly prefix: string;
  readonly mqtt?: string;
  readonly state?: string;
  readonly reports: number;
  readonly stepDelay: number;
  readonly offlineTime: number;
  readonly awayTime: number;
}

const EXAMPLES = [
  'ferry simulate --devices 100 --product thermostat',
  'ferry simulate --devices 30 --product thermostat --behaviour ok=8,drops,silent --seed 7',
  'ferry simulate --devices 5 --product thermostat --behaviour stalls --prefix stalling-',
];

const BEHAVIOUR_LINES = Object.entries(BEHAVIOUR_TEXTS)
  .map(([name, text]) => `  ${name.padEnd(21)} ${text}`)
  .join('\n');

export const simulateCommand = (io: Io): Command =>
  operatingCommand('simulate', 'run simulated devices, which really connect, download and check digests', EXAMPLES)
    .requiredOption('--devices <count>', 'how many', wholeNumber(1))
    .requiredOption('--product <key>', 'product that they are of; it must exist')
    .addOption(
      new Option('--behaviour <mixture>', 'mix, a behaviour, or several with weights: ok=8,silent')
        .argParser(mixture)
        .default(parseMixture('mix'), 'mix'),
    )
    .option('--version <version>', 'version that new devices run', '1.0.0')
    .option('--seed <number>', 'the same seed gives the same fleet', wholeNumber(0), 1)
    .option('--prefix <text>', 'beginning of their names', 'sim-')
    .option('--mqtt <url>', 'address of the broker (default: FERRY_MQTT_URL, else mqtt://127.0.0.1:1883)')
    .option('--state <folder>', "where their secrets are kept between runs (default: the user's data folder)")
    .option('--reports <count>', 'percentages that an update reports', wholeNumber(0), 5)
    .addOption(
      new Option('--step-delay <duration>', 'between two percentages').argParser(parseDuration).default(1_000, '1s'),
    )
    .addOption(
      new Option('--offline-time <duration>', 'how long offline-then-online devices are away')
        .argParser(parseDuration)
        .default(30_000, '30s'),
    )
    .addOption(
      new Option('--away-time <duration>', 'how long away-in-mid-update devices are away')
        .argParser(parseDuration)
        .default(35 * 60_000, '35m'),
    )
    .addHelpText('after', `\nBehaviours:\n${BEHAVIOUR_LINES}\n`)
    .action(async (options: SimulateOptions) => {
      const session = openSession(io, options);
      const folder = options.state ?? rosterFolder(io.env);
      const path = rosterPath(folder, session.url, options.product);
      const deviceNames = simulatedNames(options.prefix, options.devices);
      const wanted = { productKey: options.product, deviceNames, version: options.version };
      const roster = await register(session.api, await readRoster(path), wanted);
      await writeRoster(folder, path, roster);
      const fleet = fleetOf(roster, { deviceNames, options, io });
      try {
        await run(session, fleet);
      } finally {
        await fleet.stop();
        await writeRoster(folder, path, afterRun(roster, deviceNames, fleet));
      }
      tellEnd(session, fleet);
    });

function mixture(text: string): Mixture {
  try {
    return parseMixture(text);
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

function fleetOf(
  roster: Roster,
  { deviceNames, options, io }: { deviceNames: readonly string[]; options: SimulateOptions; io: Io },
): Fleet {
  const random = seededRandom(options.seed);
  return createFleet({
    mqttUrl: options.mqtt ?? io.env['FERRY_MQTT_URL'] ?? 'mqtt://127.0.0.1:1883',
    productKey: options.product,
    seed: options.seed,
    timing: {
      progressReports: options.reports,
      stepDelayMs: options.stepDelay,
      offlineMs: options.offlineTime,
      awayMs: options.awayTime,
    },
    devices: deviceNames.map((deviceName) => ({
      deviceName,
      deviceSecret: roster[deviceName]?.deviceSecret ?? '',
      version: roster[deviceName]?.version ?? options.version,
      behaviour: draw(options.behaviour, random()),
    })),
  });
}

/** Until Ctrl-C; connecting goes on meanwhile. */
async function run({ io, isJson }: Session, fleet: Fleet): Promise<void> {
  const { signal, dispose } = interruption(io);
  if (isJson) fleet.events.on('event', (event) => void io.out.write(`${JSON.stringify(event)}\n`));
  const line = isJson ? undefined : liveLine(io.out, () => shownLine(io, fleet));
  try {
    // It never fails by itself: devices try again until the fleet is stopped.
    void fleet.start().catch(() => undefined);
    await aborted(signal);
  } finally {
    line?.stop();
    dispose();
  }
}

/** In a file a line is written when it has changed, which the simulator's own CPU always has. */
const shownLine = (io: Io, fleet: Fleet): string =>
  [fleetLine(fleet.counts()), ...(io.out.isTTY ? [usageText(ownUsage())] : [])].join(' · ');

function tellEnd(session: Session, fleet: Fleet): void {
  if (session.isJson) session.io.out.write(`${JSON.stringify({ kind: 'simulator', ...ownUsage() })}\n`);
  session.remark(`Ended: ${fleetLine(fleet.counts())} · ${usageText(ownUsage())}`);
}

/** What the devices run now, for the next run. */
const afterRun = (roster: Roster, deviceNames: readonly string[], fleet: Fleet): Roster => ({
  ...roster,
  ...Object.fromEntries(
    deviceNames.map((name) => [name, { deviceSecret: roster[name]?.deviceSecret ?? '', version: fleet.version(name) }]),
  ),
});
