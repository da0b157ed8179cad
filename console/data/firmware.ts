import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import type {
  CreateBatchUpdateRequest,
  CreateVerificationRequest,
  FirmwareFieldsRequest,
  PageParams,
} from '../../api/requests.js';
import { api } from './client.js';
import { keys } from './keys.js';
import { useOneAtATime } from './one-at-a-time.js';
import { repairFirmware, uploadFirmware, type Upload } from './upload.js';

export const useFirmwareList = (query: PageParams & { productKey?: string }) =>
  useQuery({
    queryKey: keys.firmwareList(query),
    queryFn: () => api.listFirmware(query),
    placeholderData: keepPreviousData,
  });

export const useFirmware = (firmwareId: string) =>
  useQuery({ queryKey: keys.firmware(firmwareId), queryFn: () => api.getFirmware(firmwareId) });

/** What the batch would meet now; undefined asks for nothing. */
export const useBatchPreview = (firmwareId: string, batch: CreateBatchUpdateRequest | undefined) =>
  useQuery({
    queryKey: keys.batchPreview(firmwareId, batch ?? {}),
    queryFn: ({ signal }) => api.previewBatchUpdate(firmwareId, batch ?? { sourceVersions: [] }, signal),
    enabled: batch !== undefined && batch.sourceVersions.length > 0,
    placeholderData: keepPreviousData,
    staleTime: 0,
  });

/** After whatever changes firmware or creates tasks. */
function useRefresh() {
  const client = useQueryClient();
  return () =>
    Promise.all(
      [keys.firmwareList(), keys.firmware(), keys.taskList(), keys.task(), keys.versions(), keys.overview].map((queryKey) =>
        client.invalidateQueries({ queryKey }),
      ),
    );
}

export interface NewFirmware extends FirmwareFieldsRequest, Upload {
  readonly idempotencyKey: string;
}

export function useAddFirmware() {
  const refresh = useRefresh();
  return useOneAtATime({ mutationFn: (firmware: NewFirmware) => uploadFirmware(firmware), onSuccess: refresh });
}

/** The file of a firmware once more: that repairs a damaged one. */
export function useRepairFirmware(firmwareId: string) {
  const refresh = useRefresh();
  return useOneAtATime({
    about: firmwareId,
    mutationFn: (upload: Upload) => repairFirmware(firmwareId, upload),
    onSuccess: refresh,
  });
}

export function useDeleteFirmware() {
  const refresh = useRefresh();
  return useOneAtATime({ mutationFn: (firmwareId: string) => api.deleteFirmware(firmwareId), onSuccess: refresh });
}

/** @see newIdempotencyKey in data/idempotency.ts: a new key when what is asked for changes */
export function useCreateVerification(firmwareId: string) {
  const refresh = useRefresh();
  return useOneAtATime({
    about: firmwareId,
    mutationFn: ({ idempotencyKey, ...request }: CreateVerificationRequest & { idempotencyKey: string }) =>
      api.createVerification(firmwareId, request, { idempotencyKey }),
    onSuccess: refresh,
  });
}

export function useCreateBatchUpdate(firmwareId: string) {
  const refresh = useRefresh();
  return useOneAtATime({
    about: firmwareId,
    mutationFn: ({ idempotencyKey, ...request }: CreateBatchUpdateRequest & { idempotencyKey: string }) =>
      api.createBatchUpdate(firmwareId, request, { idempotencyKey }),
    onSuccess: refresh,
  });
}
