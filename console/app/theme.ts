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

/** The colours are those of base.css. */
export function useTheme(): ThemeConfig {
  const isDark = useIsDark();
  return useMemo(
    () => ({
      algorithm: isDark ? theme.darkAlgorithm : theme.defaultAlgorithm,
      token: {
        fontFamily: 'inherit',
        borderRadius: 6,
        wireframe: false,
        ...(isDark
          ? { colorPrimary: '#2f80d8', colorLink: '#5aa9f5', colorBgBase: '#181d23', colorTextBase: '#e4e9ee' }
          : { colorPrimary: '#0b6bcb', colorTextBase: '#1b2733', colorTextPlaceholder: '#6b7785' }),
        ...(isDark ? { colorBgLayout: '#101418' } : { colorBgLayout: '#f5f7fa' }),
      },
      components: {
        Table: { headerBg: 'transparent', cellPaddingBlock: 10, headerSplitColor: 'transparent' },
      },
    }),
    [isDark],
  );
}
