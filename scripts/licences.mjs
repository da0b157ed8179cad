/** Lists the shipped packages by licence; fails on one that is not permissive. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const PERMISSIVE =
  /^\(?(MIT|ISC|Apache-2\.0|BSD-2-Clause|BSD-3-Clause|0BSD|BlueOak-1\.0\.0|Unlicense|CC0-1\.0|WTFPL)\b/;

/** Looked at by hand. */
const KNOWN = {
  unionfs: 'Unlicense', // by its LICENSE file
  'caniuse-lite': 'CC-BY-4.0, of data that the bundler of workflows reads; nothing of it is changed or shown',
};

const listed = execFileSync('npm', ['ls', '--omit=dev', '--all', '--parseable'], { encoding: 'utf8' });
const folders = listed.split('\n').filter((line) => line.includes('node_modules'));
const byLicence = new Map();
for (const folder of new Set(folders)) {
  const { name, version, license, licenses } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const licence =
    KNOWN[name] ?? license?.type ?? license ?? licenses?.map(({ type }) => type).join(' OR ') ?? 'none named';
  byLicence.set(licence, [...(byLicence.get(licence) ?? []), `${name}@${version}`]);
}
let isFine = true;
for (const [licence, packages] of [...byLicence].sort(([, a], [, b]) => b.length - a.length)) {
  const isPermissive = PERMISSIVE.test(licence) || Object.values(KNOWN).includes(licence);
  isFine &&= isPermissive;
  console.log(`${licence}${isPermissive ? '' : '  <- not permissive'} (${packages.length})`);
  console.log(`  ${packages.sort().join(', ')}`);
}
process.exit(isFine ? 0 : 1);
