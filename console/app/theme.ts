import { theme, type ThemeConfig } from 'antd';
import { useMemo, useSyncExternalStore } from 'react';

const DARK = '(prefers-color-scheme: dark)';

const subscribe = (listener: () => void) => {
  const query = window.matchMedia(DARK);
  query.addEventListener('change', listener);
  return () => query.removeEventListener('change', listener);
};

/** Follows the system; components with a canvas of their own (charts) ask too. */
export const useIsDark = (): boolean => useSyncExternalStore(subscribe, () => window.matchMedia(DARK).matches);

const SHARED = { fontFamily: 'inherit', borderRadius: 6 } as const;

/** The colours are those of base.css; texts are as dark, or as light, as contrast asks. */
const LIGHT = {
  ...SHARED,
  ...{ colorPrimary: '#0b6bcb', colorLink: '#0b6bcb', colorError: '#d0342c', colorSuccess: '#2e8b57' },
  colorInfo: '#0958a8',
  ...{ colorText: '#1b2733', colorTextDescription: '#5b6876', colorTextPlaceholder: '#66727f' },
  ...{ colorBorder: '#c3ccd6', colorBorderSecondary: '#dfe4ea' },
} as const;

const DARK_TOKEN = {
  ...SHARED,
  ...{ colorPrimary: '#2f80d8', colorLink: '#5aa9f5', colorError: '#ff8f88', colorSuccess: '#4cae7a' },
  ...{ colorInfo: '#4d9ff0', colorText: '#e4e9ee', colorTextDescription: '#9aa7b4', colorTextPlaceholder: '#8d99a6' },
  ...{ colorBgContainer: '#181d23', colorBgElevated: '#1f262d', colorBgLayout: '#101418' },
  ...{ colorBorder: '#414c58', colorBorderSecondary: '#2c343d' },
} as const;

/** The component library in our colours, light or dark as the system is. */
export function useTheme(): ThemeConfig {
  const isDark = useIsDark();
  return useMemo(
    () => ({
      algorithm: isDark ? theme.darkAlgorithm : theme.defaultAlgorithm,
      token: isDark ? DARK_TOKEN : LIGHT,
      components: {
        // On the light red of the dark theme, white text has too little contrast.
        Button: isDark ? { dangerColor: '#1b0d0c' } : {},
        Segmented: isDark ? { itemSelectedBg: '#2c343d' } : {},
      },
    }),
    [isDark],
  );
}
