import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import type { DeviceUpdateQuery, TaskQuery } from '../../api/client-core.js';
import type { ReinitiateRequest } from '../../api/requests.js';
import { BASE_PATH } from '../app/base-path.js';
import { api } from './client.js';
import { keys } from './keys.js';
import { useOneAtATime } from './one-at-a-time.js';

export const useTasks = (query: TaskQuery) =>
  useQuery({ queryKey: keys.taskList(query), queryFn: () => api.listTasks(query), placeholderData: keepPreviousData });

/** Follow it live with `useLiveTask(taskId)` (data/live.tsx). */
export const useTask = (taskId: string) =>
  useQuery({ queryKey: keys.task(taskId), queryFn: () => api.getTask(taskId) });

export const useTimeline = (taskId: string) =>
  useQuery({
    queryKey: keys.timeline(taskId),
    queryFn: () => api.getTimeline(taskId, { points: 60 }),
    placeholderData: keepPreviousData,
  });

/** Presence of devices is not in the live stream. */
const PACE_REFETCH_MS = 10_000;
const PACE_MINUTES = 10;

/** What has ended in the last minutes, in spans of ten seconds. */
export const useLatestMinutes = (taskId: string, enabled: boolean) =>
  useQuery({
    queryKey: keys.latestMinutes(taskId),
    queryFn: () => api.getTimeline(taskId, { points: 61, minutes: PACE_MINUTES }),
    enabled,
    refetchInterval: PACE_REFETCH_MS,
  });

export const useDeviceUpdates = (taskId: string, query: DeviceUpdateQuery) =>
  useQuery({
    queryKey: keys.deviceUpdates(taskId, query),
    queryFn: () => api.listDeviceUpdates(taskId, query),
    placeholderData: keepPreviousData,
  });

/** Where the browser downloads the device updates of a task from. */
export function deviceUpdatesCsvUrl(taskId: string, query: Omit<DeviceUpdateQuery, 'limit' | 'cursor'> = {}): string {
  const search = new URLSearchParams(
    Object.entries<string | undefined>(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  return `${BASE_PATH}/v1/tasks/${encodeURIComponent(taskId)}/devices.csv?${search.toString()}`;
}

function useTaskAction<Input, Answer>(taskId: string, action: (input: Input) => Promise<Answer>) {
  const client = useQueryClient();
  return useOneAtATime({
    about: taskId,
    mutationFn: action,
    onSuccess: () =>
      Promise.all(
        [keys.task(taskId), keys.deviceUpdates(taskId), keys.taskList(), keys.firmware(), keys.overview].map(
          (queryKey) => client.invalidateQueries({ queryKey }),
        ),
      ),
  });
}

export const useCancelTask = (taskId: string) => useTaskAction(taskId, (_: void) => api.cancelTask(taskId));
export const useEndVerification = (taskId: string) => useTaskAction(taskId, (_: void) => api.endVerification(taskId));
export const useCancelDeviceUpdate = (taskId: string) =>
  useTaskAction(taskId, (deviceName: string) => api.cancelDeviceUpdate(taskId, deviceName));
/** The two-person rule: what a second operator says. */
export const useDecide = (taskId: string) =>
  useTaskAction(taskId, ({ decision, remark }: { decision: 'approve' | 'reject'; remark: string }) =>
    decision === 'approve' ? api.approveTask(taskId, { remark }) : api.rejectTask(taskId, { remark }),
  );
/** Answers the new task. */
export const useReinitiate = (taskId: string) =>
  useTaskAction(taskId, ({ idempotencyKey, ...request }: ReinitiateRequest & { idempotencyKey: string }) =>
    api.reinitiate(taskId, request, { idempotencyKey }),
  );
