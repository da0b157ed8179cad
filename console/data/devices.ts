import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import type { DeviceQuery } from '../../api/client-core.js';
import type { PageParams } from '../../api/requests.js';
import { api } from './client.js';
import { keys } from './keys.js';
import { useOneAtATime } from './one-at-a-time.js';

/** Presence of devices is not in the live stream. */
const REFETCH_MS = 10_000;

export const useDevices = (productKey: string | undefined, query: DeviceQuery) =>
  useQuery({
    queryKey: keys.deviceList(productKey ?? '', query),
    queryFn: () => api.listDevices(productKey ?? '', query),
    enabled: productKey !== undefined,
    placeholderData: keepPreviousData,
    refetchInterval: REFETCH_MS,
  });

export const useDevice = (productKey: string, deviceName: string) =>
  useQuery({
    queryKey: keys.device(productKey, deviceName),
    queryFn: () => api.getDevice(productKey, deviceName),
    refetchInterval: REFETCH_MS,
  });

export const useDeviceHistory = (productKey: string, deviceName: string, page: PageParams) =>
  useQuery({
    queryKey: keys.deviceHistory(productKey, deviceName, page),
    queryFn: () => api.listDeviceHistory(productKey, deviceName, page),
    placeholderData: keepPreviousData,
    refetchInterval: REFETCH_MS,
  });

/** Where devices connect. */
export const useConnectionInfo = () =>
  useQuery({ queryKey: keys.connectionInfo, queryFn: () => api.getConnectionInfo(), staleTime: 60_000 });

/** The secrets are in this answer alone: only with the same key does pressing again show them after a lost one. */
export function useRegisterDevices(productKey: string) {
  const client = useQueryClient();
  return useOneAtATime({
    about: productKey,
    mutationFn: ({ csv, idempotencyKey }: { csv: string; idempotencyKey: string }) =>
      api.registerDevicesCsv(productKey, csv, { idempotencyKey }),
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: keys.deviceList(productKey) }),
        client.invalidateQueries({ queryKey: keys.versions(productKey) }),
        client.invalidateQueries({ queryKey: keys.overview }),
      ]),
  });
}
