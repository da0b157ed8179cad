import type { Problem } from './environment.js';

/** Of the `ferry` command, which may be set where the service starts too. */
const OF_THE_COMMAND = ['FERRY_URL', 'FERRY_TOKEN', 'FERRY_MQTT_URL'];
/** Says where Ferry is installed; scripts around it set and read that. */
const LEFT_ALONE = ['FERRY_HOME'];
/** Kubernetes and linked containers tell by such names where a service called `ferry` is. */
const OF_ORCHESTRATORS = /^FERRY_(\w+_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP)(_\w+)?)$/;
const ORCHESTRATORS_URL = /^(tcp|udp):\/\//;
/** More than these changes of a letter away, a name is another name. */
const DISTANCE_MAX = 4;

/** A mistyped variable is a rule that does not hold: each is named, with the one that was probably meant. */
export function unknownVariables(set: Readonly<Record<string, string>>, known: readonly string[]): Problem[] {
  const fine = new Set([...known, ...OF_THE_COMMAND, ...LEFT_ALONE]);
  return Object.entries(set)
    .filter(([name]) => /^FERRY_/i.test(name) && !fine.has(name))
    .filter(([name, value]) => !OF_ORCHESTRATORS.test(name) && !ORCHESTRATORS_URL.test(value))
    .map(([name]) => ({ variables: [name], message: `is not known here${suggestion(name.toUpperCase(), known)}` }));
}

function suggestion(name: string, known: readonly string[]): string {
  const nearest = known
    .map((candidate) => ({ candidate, distance: distance(name, candidate) }))
    .sort((a, b) => a.distance - b.distance)
    .at(0);
  const isNear = nearest !== undefined && nearest.distance <= DISTANCE_MAX;
  return isNear ? `; did you mean ${nearest.candidate}?` : '; docs/configuration.md lists all variables';
}

/** How many letters must be added, dropped or exchanged to make one of the other (Levenshtein). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [i, letter] of Array.from(from).entries()) {
    const next = [i + 1];
    for (const [j, other] of Array.from(to).entries()) {
      const exchanged = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min((row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1, exchanged));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
