import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { CreateProductRequest } from '../../api/requests.js';
import { api } from './client.js';
import { keys } from './keys.js';
import { useOneAtATime } from './one-at-a-time.js';

/** A chooser shows no more. */
const PRODUCTS_MAX = 500;
const STALE_MS = 60_000;

export const useProducts = () =>
  useQuery({
    queryKey: keys.products,
    queryFn: () => api.listProducts({ limit: PRODUCTS_MAX }),
    // A decision that is due is made outside of this page: an operator who returns to it must see the result.
    staleTime: ({ state }) => (state.data?.items.some(({ trustUndecided }) => trustUndecided) === true ? 0 : STALE_MS),
  });

/** Undefined while products are loaded. */
export const useProductOf = (productKey: string) =>
  useProducts().data?.items.find((product) => product.productKey === productKey);

export function useCreateProduct() {
  const client = useQueryClient();
  return useOneAtATime({
    mutationFn: ({ idempotencyKey, ...request }: CreateProductRequest & { idempotencyKey: string }) =>
      api.createProduct(request, { idempotencyKey }),
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: keys.products }),
        client.invalidateQueries({ queryKey: keys.overview }),
      ]),
  });
}

/** What runs on the devices of a product, each version with the batch that updates it. */
export const useVersions = (productKey: string | undefined, module?: string) =>
  useQuery({
    queryKey: keys.versions(productKey ?? '', module),
    queryFn: () => api.listVersions(productKey ?? '', module === undefined ? {} : { module }),
    enabled: productKey !== undefined,
  });
