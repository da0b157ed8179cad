import { useEffect, useRef } from 'react';
import { Navigate, useSearchParams } from 'react-router';
import type { SignInRequest } from '../../../api/requests.js';
import { AwayBanner } from '../../app/away-banner.js';
import logo from '../../app/ferry.svg';
import { PATHS } from '../../app/paths.js';
import { LanguageSwitch } from '../../components/language-switch.js';
import { useSession, useSignIn } from '../../data/session.js';
import { useTexts } from '../../texts/language.js';
import { SignInForm } from './sign-in-form.js';
import styles from './sign-in-page.module.css';

/** Signs in with the token, or with the secret of a link in the address's fragment, which no server ever sees. */
export function Component() {
  const { signIn: texts } = useTexts();
  const session = useSession();
  const signIn = useSignIn();
  const [params] = useSearchParams();
  useLink(signIn.mutate);

  useEffect(() => {
    document.title = `${texts.title} · Ferry`;
  }, [texts]);

  if (session.data) return <Navigate replace to={localPath(params.get('next'))} />;
  return (
    <div className={styles['page']}>
      <AwayBanner />
      <div className={styles['language']}>
        <LanguageSwitch />
      </div>
      <main className={styles['box']}>
        <img src={logo} alt="" width={48} height={48} />
        <h1 className={styles['title']}>{texts.title}</h1>
        <p className={styles['text']}>{texts.text}</p>
        <SignInForm signIn={signIn} />
      </main>
    </div>
  );
}

/** Takes the secret out of the address before anything else, and uses it once. */
function useLink(signIn: (request: SignInRequest) => void): void {
  const isUsed = useRef(false);
  useEffect(() => {
    const link = new URLSearchParams(window.location.hash.slice(1)).get('link');
    if (link === null || isUsed.current) return;
    isUsed.current = true;
    window.history.replaceState(window.history.state, '', window.location.pathname + window.location.search);
    signIn({ link });
  }, [signIn]);
}

/** Where to go after signing in: a path of ours, whatever a link from elsewhere says. */
function localPath(next: string | null): string {
  if (next === null || !URL.canParse(next, window.location.origin)) return PATHS.overview;
  const { origin, pathname, search } = new URL(next, window.location.origin);
  return origin === window.location.origin && next.startsWith('/') ? pathname + search : PATHS.overview;
}
