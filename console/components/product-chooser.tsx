import { Select } from 'antd';
import { useEffect } from 'react';
import { useProducts } from '../data/products.js';
import { useTexts } from '../texts/language.js';
import { useUrlState } from './url-state.js';

const KEPT = 'ferry-product';

/**
 * The product that a page is about: the one in its URL (`product`), else the last chosen one, else the newest.
 *
 * @returns undefined while products are loaded, and when there is none
 */
export function useProduct() {
  const products = useProducts();
  const [get, set] = useUrlState();
  const items = products.data?.items;
  const known = (productKey: string | null | undefined) => items?.find((one) => one.productKey === productKey);
  const product = known(get('product')) ?? known(localStorage.getItem(KEPT)) ?? items?.[0];
  useEffect(() => {
    if (product) localStorage.setItem(KEPT, product.productKey);
  }, [product]);
  return {
    product,
    products,
    setProduct: (productKey: string) => set({ product: productKey }),
  };
}

/** Chooses among the products by name or key. */
export function ProductChooser({ product, products, setProduct }: ReturnType<typeof useProduct>) {
  const { frame } = useTexts();
  return (
    <Select
      showSearch={{ optionFilterProp: 'label' }}
      aria-label={frame.product}
      style={{ minWidth: 220 }}
      loading={products.isPending}
      value={product?.productKey ?? null}
      placeholder={frame.product}
      onChange={(productKey: string | null) => productKey !== null && setProduct(productKey)}
      options={(products.data?.items ?? []).map(({ productKey, name }) => ({
        value: productKey,
        label: name === productKey ? name : `${name} (${productKey})`,
      }))}
    />
  );
}
