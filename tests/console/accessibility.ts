import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { WatchedPage } from './browser.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Violations {
  readonly violations: { id: string; impact: string; nodes: { html: string }[] }[];
}

/**
 * A dialog that fades in has too little contrast on its way, which nobody is to read: antd's classes `…-enter…` and
 * `…-appear…` are there from before the first frame of an animation to its last. A spinner never ends.
 */
const COME_TO_REST = `new Promise((resolve) => {
  const look = () => {
    const moves = document.querySelector('[class*="-enter"], [class*="-appear"]') !== null ||
      document.getAnimations().some(({ effect }) => effect.getComputedTiming().endTime !== Infinity);
    if (moves) requestAnimationFrame(look);
    else resolve();
  };
  look();
})`;

/** Serious violations that axe finds on a page once it has come to rest. */
export async function violationsOf(page: WatchedPage): Promise<string[]> {
  await page.evaluate(COME_TO_REST);
  await page.evaluate(AXE);
  const { violations } = await page.evaluate<Violations>('axe.run(document)');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes[0]?.html ?? ''}`);
}
