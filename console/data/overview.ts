import { useQuery } from '@tanstack/react-query';
import { api } from './client.js';
import { keys } from './keys.js';

/** Presence of devices is not in the live stream. */
const REFETCH_MS = 10_000;

export const useOverview = () =>
  useQuery({ queryKey: keys.overview, queryFn: () => api.getOverview(), refetchInterval: REFETCH_MS });
