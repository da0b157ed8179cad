import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { DeviceQuery } from '../../api/client-core.js';
import type { NewDeviceRequest, PageParams } from '../../api/requests.js';
import { api } from './client.js';
import { keys } from './keys.js';

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

export function useRegisterDevices(productKey: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (devices: readonly NewDeviceRequest[] | { csv: string }) =>
      'csv' in devices ? api.registerDevicesCsv(productKey, devices.csv) : api.registerDevices(productKey, devices),
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: keys.deviceList(productKey) }),
        client.invalidateQueries({ queryKey: keys.versions(productKey) }),
        client.invalidateQueries({ queryKey: keys.overview }),
      ]),
  });
}
