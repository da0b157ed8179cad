import { Button, Segmented, Select } from 'antd';
import { lazy, Suspense } from 'react';
import { ActionButton } from '../../components/action-button.js';
import { Notice } from '../../components/notice.js';
import { PagedTable } from '../../components/paged-table.js';
import { PageHeader } from '../../components/page-header.js';
import { usePaging } from '../../components/paging.js';
import { ProblemAlert } from '../../components/problem-alert.js';
import { ProductChooser, useProduct } from '../../components/product-chooser.js';
import { SearchBox } from '../../components/search-box.js';
import { useUrlState } from '../../components/url-state.js';
import { useDevices } from '../../data/devices.js';
import { useVersions } from '../../data/products.js';
import { useTexts } from '../../texts/language.js';
import styles from './devices-page.module.css';
import { useDeviceColumns } from './device-columns.js';

const AddDevicesDialog = lazy(async () => ({ default: (await import('./add-devices-dialog.js')).AddDevicesDialog }));
const NewProductDialog = lazy(async () => ({ default: (await import('./new-product-dialog.js')).NewProductDialog }));

/** Filters in the address: `product`, `search`, `version`, `online`. */
export function Component() {
  const { devices: texts } = useTexts();
  const chooser = useProduct();
  const { product, products } = chooser;
  const [get, set] = useUrlState();
  return (
    <>
      <PageHeader
        title={texts.title}
        text={texts.text}
        actions={
          <>
            {product && <ProductChooser {...chooser} />}
            <ActionButton permission="devices:write" isForAllProducts onClick={() => set({ dialog: 'product' })}>
              {texts.newProduct}
            </ActionButton>
            {product && (
              <ActionButton permission="devices:write" type="primary" onClick={() => set({ dialog: 'add' })}>
                {texts.addDevices}
              </ActionButton>
            )}
          </>
        }
      />
      {products.error && <ProblemAlert error={products.error} onRetry={products.refetch} />}
      {products.data && !product && (
        <Notice
          title={texts.noProduct}
          text={texts.noProductRemedy}
          action={
            <ActionButton
              permission="devices:write"
              isForAllProducts
              type="primary"
              onClick={() => set({ dialog: 'product' })}
            >
              {texts.newProduct}
            </ActionButton>
          }
        />
      )}
      <Suspense fallback={null}>
        {get('dialog') === 'product' && (
          <NewProductDialog onClose={(created) => set({ dialog: undefined, product: created })} />
        )}
        {get('dialog') === 'add' && product && (
          <AddDevicesDialog productKey={product.productKey} onClose={() => set({ dialog: undefined })} />
        )}
      </Suspense>
      {product && <Devices key={product.productKey} productKey={product.productKey} />}
    </>
  );
}

function Devices({ productKey }: { productKey: string }) {
  const { devices: texts } = useTexts();
  const [get, set] = useUrlState();
  const paging = usePaging();
  const columns = useDeviceColumns();
  const [search, version, online] = [get('search'), get('version'), get('online')];
  const query = useDevices(productKey, {
    ...paging.page,
    ...(search !== undefined && { search }),
    ...(version !== undefined && { version }),
    ...(online !== undefined && { online: online === 'true' }),
  });
  const isFiltered = search !== undefined || version !== undefined || online !== undefined;
  const clear = () => set({ search: undefined, version: undefined, online: undefined });
  return (
    <>
      <Filters productKey={productKey} />
      <PagedTable
        label={texts.title}
        query={query}
        paging={paging}
        columns={columns}
        rowKey={({ deviceName }) => deviceName}
        empty={
          isFiltered ? (
            <Notice
              title={texts.noneFound}
              text={texts.noneFoundRemedy}
              action={<Button onClick={clear}>{texts.clear}</Button>}
            />
          ) : (
            <Notice title={texts.none} text={texts.noneRemedy} />
          )
        }
      />
    </>
  );
}

function Filters({ productKey }: { productKey: string }) {
  const { devices: texts, words } = useTexts();
  const [get, set] = useUrlState();
  const versions = useVersions(productKey);
  const reported = (versions.data?.items ?? []).flatMap(({ version, devices }) =>
    version === null ? [] : [{ value: version, label: `${version} (${devices})` }],
  );
  return (
    <div className={styles['filters']} role="search">
      <SearchBox className={styles['search']} label={texts.search} />
      <Select
        allowClear
        showSearch
        aria-label={texts.version}
        placeholder={texts.anyVersion}
        style={{ minWidth: 170 }}
        value={get('version') ?? null}
        options={reported}
        onChange={(version: string | null | undefined) => set({ version: version ?? undefined })}
      />
      <Segmented
        aria-label={texts.presence}
        value={get('online') ?? ''}
        options={[
          { value: '', label: texts.anyPresence },
          { value: 'true', label: words.online },
          { value: 'false', label: words.offline },
        ]}
        onChange={(online) => set({ online })}
      />
    </div>
  );
}
