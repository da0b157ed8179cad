import { QueryClientProvider } from '@tanstack/react-query';
import { ConfigProvider } from 'antd';
import { useMemo, useState, type ReactNode } from 'react';
import { RouterProvider } from 'react-router/dom';
import { createQueryClient } from '../data/query-client.js';
import { LanguageProvider, useLanguage } from '../texts/language.js';
import { createRouter } from './routes.js';
import { pageNonce } from './style-nonce.js';
import { useTheme } from './theme.js';

export function Root() {
  const [client] = useState(createQueryClient);
  const [router] = useState(createRouter);
  return (
    <QueryClientProvider client={client}>
      <LanguageProvider>
        <Components>
          <RouterProvider router={router} />
        </Components>
      </LanguageProvider>
    </QueryClientProvider>
  );
}

/** No blank between the two characters of a Chinese word. */
const PLAIN_BUTTON = { autoInsertSpace: false } as const;

/** The component library in our colours and the viewer's language, its styles under the page's nonce. */
function Components({ children }: { children: ReactNode }) {
  const { antd } = useLanguage();
  const theme = useTheme();
  const csp = useMemo(() => ({ nonce: pageNonce() }), []);
  return (
    <ConfigProvider locale={antd} theme={theme} csp={csp} button={PLAIN_BUTTON}>
      {children}
    </ConfigProvider>
  );
}
