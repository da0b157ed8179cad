import { Form, Input } from 'antd';
import { useState } from 'react';
import { ProblemAlert } from '../../components/problem-alert.js';
import { RequestDialog } from '../../components/request-dialog.js';
import { useServerIsAway } from '../../data/connection.js';
import { newIdempotencyKey } from '../../data/idempotency.js';
import { useCreateProduct } from '../../data/products.js';
import { useTexts } from '../../texts/language.js';

/** @param onClose with the key of the product, if one was created */
export function NewProductDialog({ onClose }: { onClose: (productKey?: string) => void }) {
  const { devices: texts } = useTexts();
  const isAway = useServerIsAway();
  const [form] = Form.useForm<{ name: string }>();
  const [key, setKey] = useState(newIdempotencyKey);
  const create = useCreateProduct();
  const submit = async ({ name }: { name: string }) => {
    const product = await create.mutateAsync({ name, idempotencyKey: key }).catch(() => undefined); // shown below
    if (product) onClose(product.productKey);
  };
  return (
    <RequestDialog
      title={texts.newProduct}
      okText={texts.create}
      okButtonProps={{ disabled: isAway }}
      isPending={create.isPending}
      onOk={form.submit}
      cancelText={texts.cancel}
      onCancel={() => onClose()}
    >
      <p>{texts.noProductRemedy}</p>
      <Form
        form={form}
        layout="vertical"
        onValuesChange={() => setKey(newIdempotencyKey())}
        onFinish={(fields: { name: string }) => void submit(fields)}
      >
        <Form.Item name="name" label={texts.productName} rules={[{ required: true, message: texts.productNameNeeded }]}>
          <Input autoFocus maxLength={64} />
        </Form.Item>
      </Form>
      <ProblemAlert error={create.error} />
    </RequestDialog>
  );
}
