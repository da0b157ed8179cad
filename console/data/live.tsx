import { useQueryClient } from '@tanstack/react-query';
import { createContext, useContext, useEffect, useMemo, useRef, useState, type ReactNode } from 'react';
import { ApiError, isOfTheFuture } from '../../api/client-core.js';
import type { ApiEvent } from '../../api/client-events.js';
import { api, isHeldBack, isSignedOut, isUnreachable } from './client.js';
import { serverIsAway } from './connection.js';
import { keys } from './keys.js';
import { LiveCache } from './live-cache.js';
import { followAgain, setLive, useLiveness } from './liveness.js';

/** Events of this time are shown at once: a browser draws no faster than it must. */
const DRAW_GAP_MS = 250;
/** Without the stream, what is shown is asked for this often. */
const POLL_MS = 10_000;
/** A stream that was refused is asked for again after this time. */
const AGAIN_MS = 30_000;

const LiveContext = createContext<(taskId: string | null) => void>(() => undefined);

/** Follows one task, with its devices, instead of all tasks, while the page is shown. */
export function useLiveTask(taskId: string): void {
  const follow = useContext(LiveContext);
  useEffect(() => {
    follow(taskId);
    return () => follow(null);
  }, [follow, taskId]);
}

/**
 * The live stream of whatever page is shown: one connection, none while the page is hidden, since a browser has only six
 * for all its tabs. While the stream is refused, the page asks for what it shows. The stream goes on behind the last event
 * that was seen, after sleep, a lost connection or an ended session.
 */
export function LiveProvider({ isSignedOut: isEnded, children }: { isSignedOut: boolean; children: ReactNode }) {
  const client = useQueryClient();
  const [taskId, setTaskId] = useState<string | null>(null);
  const isVisible = usePageIsVisible();
  const { isLive, attempt } = useLiveness();
  const cache = useMemo(() => new LiveCache(client), [client]);
  const seen = useRef(new Map<string, string>());

  useEffect(() => {
    if (!isVisible || isEnded) return;
    const ending = new AbortController();
    let again: ReturnType<typeof setTimeout> | undefined;
    const refused = (error: unknown) => {
      if (isSignedOut(error)) return client.setQueryData(keys.session, null);
      setLive(false);
      // Too many requests without a session are refused like this as well.
      if (isHeldBack(error)) void client.invalidateQueries({ queryKey: keys.session });
    };
    void follow({ taskId, seen: seen.current, cache, signal: ending.signal, refused }).catch((error: unknown) => {
      if (ending.signal.aborted) return;
      refused(error);
      again = setTimeout(followAgain, AGAIN_MS);
    });
    return () => {
      ending.abort();
      clearTimeout(again);
    };
  }, [client, cache, taskId, isVisible, isEnded, attempt]);

  useEffect(() => {
    if (isLive || !isVisible || isEnded) return;
    const timer = setInterval(() => cache.poll(), POLL_MS);
    return () => clearInterval(timer);
  }, [cache, isLive, isVisible, isEnded]);

  return <LiveContext value={setTaskId}>{children}</LiveContext>;
}

interface Following {
  readonly taskId: string | null;
  /** The last event of each stream. */
  readonly seen: Map<string, string>;
  readonly cache: LiveCache;
  readonly signal: AbortSignal;
  /** The server answers, and gives no stream for now. */
  readonly refused: (error: unknown) => void;
}

async function follow({ taskId, seen, cache, signal, refused }: Following): Promise<void> {
  const stream = taskId ?? '';
  const lastEventId = seen.get(stream);
  let collected: ApiEvent[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const draw = () => {
    timer = undefined;
    const events = collected;
    collected = [];
    cache.apply(events);
  };
  const options = {
    signal,
    patient: true,
    ...(lastEventId !== undefined && { lastEventId }),
    onState: (state: 'open' | 'lost', error?: unknown) => {
      if (state === 'lost') return error instanceof ApiError && !isUnreachable(error) ? refused(error) : serverIsAway();
      setLive(true);
      // Between the page's first questions and the stream there may have been changes.
      if (!seen.has(stream)) cache.refresh();
    },
  };
  try {
    for await (const event of taskId === null ? api.events(options) : api.taskEvents(taskId, options)) {
      seen.set(stream, event.id);
      collected.push(event);
      timer ??= setTimeout(draw, DRAW_GAP_MS);
    }
  } catch (error) {
    // The server knows fewer changes than we do, also if none of them was an event: its data folder is another one.
    seen.delete(stream);
    if (!isOfTheFuture(error)) throw error;
    cache.refresh();
    return await follow({ taskId, seen, cache, signal, refused });
  } finally {
    clearTimeout(timer);
    draw();
  }
}

function usePageIsVisible(): boolean {
  const [isVisible, setIsVisible] = useState(() => document.visibilityState === 'visible');
  useEffect(() => {
    const look = () => setIsVisible(document.visibilityState === 'visible');
    document.addEventListener('visibilitychange', look);
    return () => document.removeEventListener('visibilitychange', look);
  }, []);
  return isVisible;
}
