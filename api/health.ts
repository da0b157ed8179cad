import type { ApiDeps } from './deps.js';
import { newRouter } from './router.js';
import type { ReadinessAnswer } from './schemas.js';

/** A part that does not answer in this time is down. */
const CHECK_MS = 3_000;
const LOOK_MS = 1_000;

/** What orchestrators and monitoring ask; open, so it names parts and nothing else. */
export function healthRoutes({
  readiness,
  metrics,
  version,
  log,
}: Pick<ApiDeps, 'readiness' | 'metrics' | 'version' | 'log'>) {
  async function isUp(part: string, check: () => Promise<unknown>): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error('no answer in time')), CHECK_MS);
    });
    try {
      await Promise.race([check(), late]);
      return true;
    } catch (error) {
      log.debug({ part, err: error }, 'part is down');
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  /** At most one look a second, however many ask. */
  let looked: { readonly atMs: number; readonly parts: Promise<ReadinessAnswer['parts']> } | undefined;
  function partsNow(): Promise<ReadinessAnswer['parts']> {
    const atMs = performance.now();
    if (looked === undefined || atMs - looked.atMs >= LOOK_MS) looked = { atMs, parts: look() };
    return looked.parts;
  }
  async function look(): Promise<ReadinessAnswer['parts']> {
    const checks = Object.entries(readiness).map(
      async ([part, check]) => [part, (await isUp(part, check)) ? 'up' : 'down'] as const,
    );
    return Object.fromEntries(await Promise.all(checks));
  }

  const router = newRouter();
  router.get('/healthz', (c) => c.json({ status: 'ok', version }));
  router.get('/readyz', async (c) => {
    const parts = await partsNow();
    const isReady = Object.values(parts).every((state) => state === 'up');
    const answer: ReadinessAnswer = { status: isReady ? 'ready' : 'not-ready', parts };
    return c.json(answer, isReady ? 200 : 503);
  });
  router.get('/metrics', async (c) => c.body(await metrics.metrics(), 200, { 'Content-Type': metrics.contentType }));
  return router;
}
