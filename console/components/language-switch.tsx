import { Button } from 'antd';
import { LOCALES, useLanguage } from '../texts/language.js';

/** Shows the other language in its own words: who needs it can read it. */
export function LanguageSwitch() {
  const { language, setLanguage } = useLanguage();
  const [other, name] = language === 'en' ? (['zh', '简体中文'] as const) : (['en', 'English'] as const);
  return (
    <Button type="text" lang={LOCALES[other]} onClick={() => setLanguage(other)}>
      {name}
    </Button>
  );
}
