import {
  CloudUploadOutlined,
  DashboardOutlined,
  HistoryOutlined,
  LogoutOutlined,
  ToolOutlined,
} from '@ant-design/icons';
import { Button, Tooltip } from 'antd';
import type { ReactNode } from 'react';
import { Navigate, NavLink, Outlet, useLocation, useNavigation } from 'react-router';
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

/** Around every page of who is signed in; the rest go to the sign-in page, and come back from there. */
export function Frame() {
  const session = useSession();
  const { pathname, search } = useLocation();
  if (session.data) {
    return (
      <LiveProvider>
        <Layout name={session.data.name} />
      </LiveProvider>
    );
  }
  if (session.data === null) {
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

function Layout({ name }: { name: string }) {
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
          <LanguageSwitch />
          <SignOut name={name} />
        </div>
      </header>
      <AwayBanner />
      <main id="main" className={styles['main']} aria-busy={isLoading}>
        <Outlet />
      </main>
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

function SignOut({ name }: { name: string }) {
  const { frame } = useTexts();
  const isAway = useServerIsAway();
  const signOut = useSignOut();
  return (
    <Tooltip title={frame.signedInAs(name)}>
      <Button
        type="text"
        icon={<LogoutOutlined />}
        aria-label={frame.signOut}
        disabled={isAway}
        loading={signOut.isPending}
        onClick={() => signOut.mutate()}
      />
    </Tooltip>
  );
}
