import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type JSX, type ReactNode, Suspense, useEffect, useRef, useState } from 'react';
import { Link, Outlet, useLocation, useNavigate } from 'react-router';
import { connectLive, type LiveState } from '../api/live.ts';
import { dashboardQuery } from '../api/queries.ts';
import { UploadTray } from '../pages/files/upload-tray.tsx';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { useNow } from '../ui/hooks.ts';
import { Icon, Wordmark } from '../ui/icon.tsx';
import { Skeleton } from '../ui/states.tsx';
import { showProblem, Toasts } from '../ui/toast.tsx';
import { IncidentBanner, OpenIncidents, StorageBanner } from './banners.tsx';
import { lossLine } from '../health/loss-words.ts';
import { type Loss, LostAt, useLoss } from './connection.ts';
import { type DestinationGroup, destinationsFor } from './navigation.ts';
import { useSession, useSignOut } from './session.tsx';
import { ShortcutHelp, useShortcutKeys, useShortcuts } from './shortcuts.tsx';
import { ThemeButton } from './theme.tsx';
import { UnsavedGuard } from './unsaved.tsx';

/** Whether a page belongs to a line of the menu; editing a file belongs to Files. */
function isCurrent(to: string, pathname: string): boolean {
  if (to === '/') return pathname === '/';
  return pathname === to || pathname.startsWith(`${to}/`) || (to === '/files' && pathname.startsWith('/edit/'));
}

function Groups({ groups, onGo }: { groups: readonly DestinationGroup[]; onGo?: () => void }): JSX.Element {
  const { pathname } = useLocation();
  return (
    <nav className="side-groups" aria-label="Main">
      {groups.map((group) => (
        <div className="side-group" key={group.title}>
          {groups.length > 1 && <h2>{group.title}</h2>}
          <ul>
            {group.items.map((item) => (
              <li key={item.to}>
                <Link
                  className="side-link"
                  to={item.to}
                  onClick={onGo}
                  aria-current={isCurrent(item.to, pathname) ? 'page' : undefined}
                >
                  <Icon name={item.icon} />
                  {item.label}
                  {item.to === '/incidents' && <OpenIncidents />}
                </Link>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </nav>
  );
}

function Foot({ onHelp }: { onHelp: () => void }): JSX.Element {
  const { account } = useSession();
  const signOut = useSignOut();
  return (
    <div className="side-foot">
      <p className="small soft" title={account.name}>
        <strong className="truncate side-name">{account.name}</strong>
        {account.role === 'operator' ? 'Operator' : `Member, plan ${account.plan}`}
      </p>
      <div className="row">
        <Button look="quiet" small icon="out" onClick={() => signOut().catch(showProblem)}>
          Sign out
        </Button>
        <span className="row">
          <ThemeButton />
          <Button look="quiet" icon="help" iconOnly title="Keyboard shortcuts (?)" onClick={onHelp}>
            Keyboard shortcuts
          </Button>
        </span>
      </div>
    </div>
  );
}

function NotUpToDate({ loss }: { loss: Loss }): JSX.Element {
  return (
    <span className="live-state">
      <span className="spinner" aria-hidden="true" />
      {lossLine(loss, useNow())}
    </span>
  );
}

/** Everything around a page: navigation, shortcuts, live updates, messages, uploads. */
export function Shell(): JSX.Element {
  const { account } = useSession();
  const client = useQueryClient();
  const navigate = useNavigate();
  const location = useLocation();
  const [menuOpen, setMenuOpen] = useState(false);
  const [helpOpen, setHelpOpen] = useState(false);
  const [live, setLive] = useState<LiveState>({ kind: 'connecting' });
  const loss = useLoss(live);
  const main = useRef<HTMLElement>(null);
  const firstPage = useRef(true);

  useEffect(() => connectLive(client, setLive), [client]);

  // A new page takes the focus, so that keyboards and screen readers start at its heading and not in the old place.
  useEffect(() => {
    if (firstPage.current) {
      firstPage.current = false;
      return;
    }
    window.scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
    // oxlint-disable-next-line react/exhaustive-effect-dependencies -- the page is what changes
  }, [location.pathname]);

  const dashboard = useQuery({ ...dashboardQuery, enabled: account.role === 'operator' });
  const hasHome = account.role === 'member' || (dashboard.data !== undefined && dashboard.data.account !== null);
  const groups = destinationsFor(account.role, hasHome);
  useShortcuts(
    'Go to',
    groups.flatMap((group) =>
      group.items.map((item) => ({ keys: `g ${item.key}`, label: item.label, run: () => void navigate(item.to) })),
    ),
  );
  useShortcutKeys(() => setHelpOpen(true));

  return (
    <div className="frame">
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="side">
        <Link to="/" className="side-brand" aria-label="Holdfast, dashboard">
          <Wordmark />
        </Link>
        <Groups groups={groups} />
        <Foot onHelp={() => setHelpOpen(true)} />
      </header>
      <header className="top">
        <Link to="/" aria-label="Holdfast, dashboard">
          <Wordmark />
        </Link>
        <Button look="quiet" icon="menu" iconOnly onClick={() => setMenuOpen(true)}>
          Menu
        </Button>
      </header>
      <main id="main" ref={main} tabIndex={-1} className="main">
        <LostAt value={loss}>
          {account.role === 'operator' ? <IncidentBanner /> : <StorageBanner />}
          <Suspense fallback={<Skeleton lines={6} label="Loading the page" />}>
            <Outlet />
          </Suspense>
        </LostAt>
      </main>
      {menuOpen && (
        <Dialog title="Menu" side onClose={() => setMenuOpen(false)}>
          <Groups groups={groups} onGo={() => setMenuOpen(false)} />
          <Foot
            onHelp={() => {
              setMenuOpen(false);
              setHelpOpen(true);
            }}
          />
        </Dialog>
      )}
      {helpOpen && <ShortcutHelp onClose={() => setHelpOpen(false)} />}
      <UnsavedGuard />
      <UploadTray />
      <Toasts />
      <div role="status">{loss !== null && <NotUpToDate loss={loss} />}</div>
    </div>
  );
}

/** A page's heading with what can be done there. */
export function PageHead({
  title,
  under,
  actions,
}: {
  title: ReactNode;
  under?: ReactNode;
  actions?: ReactNode;
}): JSX.Element {
  return (
    <div className="page-head">
      <div className="stack-s">
        <h1>{title}</h1>
        {under}
      </div>
      {actions !== undefined && <div className="row">{actions}</div>}
    </div>
  );
}
