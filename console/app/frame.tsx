import {
  CloudUploadOutlined,
  DashboardOutlined,
  HistoryOutlined,
  LogoutOutlined,
  ToolOutlined,
} from '@ant-design/icons';
import { focusManager, useQueryClient } from '@tanstack/react-query';
import { Button } from 'antd';
import { lazy, Suspense, useEffect, useState, type ReactNode } from 'react';
import { Navigate, NavLink, Outlet, useHref, useLocation, useNavigation } from 'react-router';
import type { SessionAnswer } from '../../api/schemas.js';
import { LanguageSwitch } from '../components/language-switch.js';
import { ProblemAlert } from '../components/problem-alert.js';
import { useServerIsAway } from '../data/connection.js';
import { LiveProvider } from '../data/live.js';
import { useSession, useSignOut } from '../data/session.js';
import { useTexts } from '../texts/language.js';
import { AwayBanner } from './away-banner.js';
import styles from './frame.module.css';
import logo from './ferry.svg';
import { PATHS } from './paths.js';
import { Splash } from './splash.js';

const SignInAgain = lazy(() => import('../pages/sign-in/sign-in-again.js'));

/**
 * Around every page of who is signed in. A visitor goes to the sign-in page, and comes back from there. Somebody whose
 * session has ended signs in again in front of the page, which keeps what they have typed.
 */
export function Frame() {
  const session = useSession();
  const { pathname, search } = useLocation();
  const [known, setKnown] = useState<SessionAnswer>();
  const isSignedOut = session.data === null;
  const isOther = Boolean(session.data && known && isAnother(session.data, known));
  if (session.data && !known) setKnown(session.data);
  useEffect(() => {
    // What one operator has seen and typed is not for the next one.
    if (isOther) window.location.reload();
  }, [isOther]);
  if (isOther) return <Splash />;
  if (known) {
    return (
      <>
        <SignedOut isSignedOut={isSignedOut} />
        <div hidden={isSignedOut}>
          <LiveProvider isSignedOut={isSignedOut}>
            <Layout session={known} />
          </LiveProvider>
        </div>
      </>
    );
  }
  if (isSignedOut) {
    const next = `${pathname}${search}`;
    return <Navigate replace to={next === '/' ? PATHS.signIn : `${PATHS.signIn}?next=${encodeURIComponent(next)}`} />;
  }
  return (
    <>
      <AwayBanner />
      {session.error && !session.isFetching ? (
        <ProblemAlert error={session.error} onRetry={session.refetch} />
      ) : (
        <Splash />
      )}
    </>
  );
}

const isAnother = (one: SessionAnswer, other: SessionAnswer): boolean =>
  one.name !== other.name || one.role !== other.role || one.productKey !== other.productKey;

/** Hides the page, its dialogs included, and lets it ask for nothing, until somebody has signed in again. */
function SignedOut({ isSignedOut }: { isSignedOut: boolean }) {
  const client = useQueryClient();
  useEffect(() => {
    if (!isSignedOut) return;
    document.documentElement.toggleAttribute('data-signed-out', true);
    focusManager.setFocused(false);
    return () => {
      document.documentElement.toggleAttribute('data-signed-out', false);
      focusManager.setFocused(undefined);
      void client.invalidateQueries();
    };
  }, [isSignedOut, client]);
  if (!isSignedOut) return null;
  return (
    <Suspense fallback={<Splash />}>
      <SignInAgain />
    </Suspense>
  );
}

function Layout({ session }: { session: SessionAnswer }) {
  const { frame } = useTexts();
  const isLoading = useNavigation().state === 'loading';
  return (
    <div className={styles['frame']}>
      <a className={styles['skip']} href="#main">
        {frame.skip}
      </a>
      <header className={styles['header']}>
        <NavLink to={PATHS.overview} className={styles['brand']}>
          <img src={logo} alt="" width={28} height={28} />
          Ferry
        </NavLink>
        <Navigation />
        <div className={styles['tools']}>
          <Who session={session} />
          <LanguageSwitch />
          <SignOut />
        </div>
        {isLoading && <div className={styles['loading']} />}
      </header>
      <AwayBanner />
      <main id="main" className={styles['main']} aria-busy={isLoading}>
        <Outlet />
      </main>
    </div>
  );
}

/** Who is signed in, and what they may do. */
function Who({ session: { name, role, productKey } }: { session: SessionAnswer }) {
  const { frame } = useTexts();
  const what = productKey === null ? frame.roles[role] : `${frame.roles[role]} · ${productKey}`;
  return (
    <div className={styles['who']} title={`${name} · ${what}`}>
      <strong>{name}</strong>
      <small>{what}</small>
    </div>
  );
}

function Navigation() {
  const { frame } = useTexts();
  const items: readonly (readonly [string, string, ReactNode])[] = [
    [PATHS.overview, frame.overview, <DashboardOutlined key="i" />],
    [PATHS.firmware, frame.firmwareUpdate, <CloudUploadOutlined key="i" />],
    [PATHS.tasks, frame.updateRecords, <HistoryOutlined key="i" />],
    [PATHS.devices, frame.devices, <ToolOutlined key="i" />],
  ];
  return (
    <nav className={styles['navigation']} aria-label={frame.navigation}>
      {items.map(([path, text, icon]) => (
        <NavLink key={path} to={path} end={path === PATHS.overview} className={styles['item']}>
          {icon}
          <span>{text}</span>
        </NavLink>
      ))}
    </nav>
  );
}

function SignOut() {
  const { frame } = useTexts();
  const isAway = useServerIsAway();
  const signInPage = useHref(PATHS.signIn);
  const signOut = useSignOut(() => window.location.assign(signInPage));
  return (
    <Button
      type="text"
      icon={<LogoutOutlined />}
      title={frame.signOut}
      aria-label={frame.signOut}
      disabled={isAway}
      loading={signOut.isPending}
      onClick={() => signOut.mutate()}
    />
  );
}
