import type { Locale } from 'antd/es/locale';
import { createContext, use, useEffect, useMemo, useState, type ReactNode } from 'react';
import type { Texts } from './en/index.js';

export const LANGUAGES = ['en', 'zh'] as const;
export type Language = (typeof LANGUAGES)[number];

/** For `lang` attributes and `Intl`. */
export const LOCALES: Readonly<Record<Language, string>> = { en: 'en', zh: 'zh-CN' };

interface Loaded {
  readonly language: Language;
  readonly texts: Texts;
  /** The component library's own words. */
  readonly antd: Locale;
}
interface Speaking extends Loaded {
  readonly setLanguage: (language: Language) => void;
}

const LanguageContext = createContext<Speaking | undefined>(undefined);
const KEPT = 'ferry-language';

/** Only the language that is shown is loaded. */
const LOADERS: Readonly<Record<Language, () => Promise<Loaded>>> = {
  en: async () => {
    const [{ en }, antd] = await Promise.all([import('./en/index.js'), import('antd/es/locale/en_US')]);
    return { language: 'en', texts: en, antd: antd.default };
  },
  zh: async () => {
    const [{ zh }, antd] = await Promise.all([import('./zh/index.js'), import('antd/es/locale/zh_CN')]);
    return { language: 'zh', texts: zh, antd: antd.default };
  },
};

/** The chosen language, else the first of the browser's that we speak. */
function firstLanguage(): Language {
  const wanted = [localStorage.getItem(KEPT) ?? '', ...navigator.languages];
  for (const tag of wanted) {
    const found = LANGUAGES.find((language) => tag.toLowerCase().startsWith(language));
    if (found) return found;
  }
  return 'en';
}

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState(firstLanguage);
  const [loaded, setLoaded] = useState<Loaded>();
  useEffect(() => {
    let isWanted = true;
    void LOADERS[language]().then((next) => {
      if (!isWanted) return;
      document.documentElement.lang = LOCALES[language];
      setLoaded(next);
    });
    return () => {
      isWanted = false;
    };
  }, [language]);
  const speaking = useMemo(
    () =>
      loaded && {
        ...loaded,
        setLanguage: (chosen: Language) => {
          localStorage.setItem(KEPT, chosen);
          setLanguage(chosen);
        },
      },
    [loaded],
  );
  return speaking ? <LanguageContext value={speaking}>{children}</LanguageContext> : null;
}

export function useLanguage(): Speaking {
  const speaking = use(LanguageContext);
  if (!speaking) throw new Error('useLanguage is used outside of LanguageProvider');
  return speaking;
}

/** Every text of the console in the language that is shown: `const { devices } = useTexts()`. */
export const useTexts = (): Texts => useLanguage().texts;
