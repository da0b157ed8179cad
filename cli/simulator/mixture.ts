import { Behaviour, BEHAVIOURS, isBehaviour } from './behaviour.js';

/** Behaviours with their weights, which need not add up to anything. */
export type Mixture = readonly { readonly behaviour: Behaviour; readonly weight: number }[];

/** The mixture called `mix`: mostly healthy, with every way of going wrong. */
export const MIX: Mixture = [
  { behaviour: Behaviour.OK, weight: 52 },
  { behaviour: Behaviour.SLOW, weight: 10 },
  { behaviour: Behaviour.DROPS, weight: 6 },
  { behaviour: Behaviour.OFFLINE_THEN_ONLINE, weight: 6 },
  { behaviour: Behaviour.DOWNLOAD_FAILED, weight: 4 },
  { behaviour: Behaviour.VERIFICATION_FAILED, weight: 4 },
  { behaviour: Behaviour.EXTRACTION_FAILED, weight: 3 },
  { behaviour: Behaviour.SILENT, weight: 2 },
  { behaviour: Behaviour.STALLS, weight: 2 },
  { behaviour: Behaviour.STAYS_ON_OLD_VERSION, weight: 2 },
  { behaviour: Behaviour.RESTARTS, weight: 2 },
  { behaviour: Behaviour.UNACKNOWLEDGED, weight: 2 },
  { behaviour: Behaviour.QUIET, weight: 2 },
  { behaviour: Behaviour.AWAY_IN_MID_UPDATE, weight: 2 },
  { behaviour: Behaviour.BUSY, weight: 1 },
];

/**
 * Reads `mix`, a behaviour's name, or several as `name[=weight],…`.
 *
 * @throws RangeError naming the word that is no behaviour, or a weight that is not above 0
 */
export function parseMixture(text: string): Mixture {
  return text
    .split(',')
    .map((word) => word.trim())
    .flatMap((word) => (word === 'mix' ? MIX : [weighted(word)]));
}

function weighted(word: string): Mixture[number] {
  const [behaviour = '', weight = '1'] = word.split('=', 2);
  if (!isBehaviour(behaviour)) {
    throw new RangeError(`"${behaviour}" is no behaviour; there are: mix, ${BEHAVIOURS.join(', ')}`);
  }
  if (!(Number(weight) > 0)) throw new RangeError(`the weight of "${word}" must be a number above 0`);
  return { behaviour, weight: Number(weight) };
}

/** One behaviour of the mixture, by a number from 0 (included) to 1 (excluded). */
export function draw(mixture: Mixture, random: number): Behaviour {
  const total = mixture.reduce((sum, { weight }) => sum + weight, 0);
  let left = random * total;
  for (const { behaviour, weight } of mixture) {
    left -= weight;
    if (left < 0) return behaviour;
  }
  return mixture.at(-1)?.behaviour ?? Behaviour.OK;
}
