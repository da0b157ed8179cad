import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { WatchedPage } from './browser.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Violations {
  readonly violations: { id: string; impact: string; nodes: { html: string }[] }[];
}

/** Serious violations that axe finds on a page. */
export async function violationsOf(page: WatchedPage): Promise<string[]> {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate<Violations>('axe.run(document)');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes[0]?.html ?? ''}`);
}
