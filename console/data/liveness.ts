import { useSyncExternalStore } from 'react';

/** Whether the live stream is there, while the server answers everything else. */
interface Liveness {
  readonly isLive: boolean;
  /** Counts the requests to follow it again. */
  readonly attempt: number;
}

let liveness: Liveness = { isLive: true, attempt: 0 };
const listeners = new Set<() => void>();

function set(changed: Partial<Liveness>): void {
  liveness = { ...liveness, ...changed };
  for (const listener of listeners) listener();
}

/** The live stream is there, or it was refused. */
export function setLive(isLive: boolean): void {
  if (isLive !== liveness.isLive) set({ isLive });
}

/** Asks for the live stream anew, without waiting any longer. */
export const followAgain = (): void => set({ attempt: liveness.attempt + 1 });

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => void listeners.delete(listener);
};

export const useLiveness = (): Liveness => useSyncExternalStore(subscribe, () => liveness);
