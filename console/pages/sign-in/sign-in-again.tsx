import { AwayBanner } from '../../app/away-banner.js';
import { useSignIn } from '../../data/session.js';
import { useTexts } from '../../texts/language.js';
import { SignInForm } from './sign-in-form.js';
import styles from './sign-in-page.module.css';

/** In front of a page whose session has ended. */
export default function SignInAgain() {
  const { signIn: texts } = useTexts();
  return (
    <div className={styles['page']}>
      <AwayBanner />
      <main className={styles['box']}>
        <h1 className={styles['title']}>{texts.again}</h1>
        <p className={styles['text']}>{texts.againText}</p>
        <SignInForm signIn={useSignIn()} />
      </main>
    </div>
  );
}
