import { useSyncExternalStore } from 'react';
import { BASE_PATH } from '../app/base-path.js';

/** Whether the server answers. What notices first says so; from then on its health is asked for until it is back. */
const PROBE_MS = 1_500;
const PROBE_TIMEOUT_MS = 10_000;

let isAway = false;
const listeners = new Set<() => void>();
const returns = new Set<() => void>();

function set(away: boolean): void {
  if (isAway === away) return;
  isAway = away;
  for (const listener of listeners) listener();
  if (!away) for (const listener of returns) listener();
}

/** A request or the live stream got no answer. */
export function serverIsAway(): void {
  if (isAway) return;
  set(true);
  void probe();
}

async function probe(): Promise<void> {
  while (isAway) {
    await new Promise((resolve) => setTimeout(resolve, PROBE_MS));
    const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
    const response = await fetch(`${BASE_PATH}/healthz`, { cache: 'no-store', signal }).catch(() => undefined);
    if (response?.ok) set(false);
  }
}

/** Called whenever the server is back; answers how to stop. */
export function onServerBack(listener: () => void): () => void {
  returns.add(listener);
  return () => void returns.delete(listener);
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => void listeners.delete(listener);
};

/** True while the server does not answer: actions are disabled then. */
export const useServerIsAway = (): boolean => useSyncExternalStore(subscribe, () => isAway);
