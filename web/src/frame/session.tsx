import { useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import { createContext, type JSX, type ReactNode, useContext, useEffect, useState } from 'react';
import { Navigate, useLocation } from 'react-router';
import type { Session } from '../../../src/protocol/browser.ts';
import { ApiError, call } from '../api/client.ts';
import { sessionQuery } from '../api/queries.ts';
import { OutLink } from '../ui/button.tsx';
import { Wordmark } from '../ui/icon.tsx';
import { ErrorPanel, Skeleton } from '../ui/states.tsx';

const AGAIN_MS = 3_000;

export type SignedIn = Session & { account: NonNullable<Session['account']> };

const SessionContext = createContext<SignedIn | null>(null);

/** The session of the signed-in account. Only below RequireSession. */
export function useSession(): SignedIn {
  const session = useContext(SessionContext);
  if (session === null) throw new Error('This part of the pages needs a signed-in session around it.');
  return session;
}

/** Only addresses inside these pages are taken back to after signing in. */
export function safeReturn(next: string | null): string {
  return next !== null && /^\/(?![/\\])/.test(next) && !next.startsWith('/sign-in') ? next : '/';
}

/** Whose session it is, asked again and again while nobody answers: whoever comes while the control plane is away is let in as soon as it is back. */
export function useAskedSession(): UseQueryResult<Session> {
  return useQuery({
    ...sessionQuery,
    refetchInterval: ({ state }) => (state.data === undefined && state.error !== null ? AGAIN_MS : false),
  });
}

/** So long nobody is told that there is no answer. */
const PATIENCE_MS = 4_000;

/** Whether so much time has gone by since this is on screen. */
function useWaited(milliseconds: number): boolean {
  const [waited, setWaited] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setWaited(true), milliseconds);
    return () => clearTimeout(timer);
  }, [milliseconds]);
  return waited;
}

/** What there is to be seen until the session is known: that it loads, and after a few seconds, or as soon as a try has failed, what is wrong. */
export function Unanswered({ session }: { session: UseQueryResult<Session> }): JSX.Element {
  const waited = useWaited(PATIENCE_MS);
  const problem =
    session.error ??
    session.failureReason ??
    (waited ? new ApiError(0, 'no-answer', 'The control plane does not answer. It is asked again and again.') : null);
  if (problem === null) return <Skeleton lines={6} label="Loading" />;
  return (
    <ErrorPanel
      level={1}
      what="Holdfast's pages do not answer right now"
      text="Neither websites nor the watching and repairing of disks need them; the status page says how it is now. This page opens by itself as soon as they are back."
      error={problem}
      retry={() => void session.refetch()}
    >
      <OutLink href="/status/" icon="open">
        Status page
      </OutLink>
    </ErrorPanel>
  );
}

/** The frame of the pages before anybody knows whose they are: nobody looks at an empty window. */
function EmptyFrame({ children }: { children: ReactNode }): JSX.Element {
  return (
    <div className="frame">
      <header className="side">
        <span className="side-brand">
          <Wordmark />
        </span>
      </header>
      <header className="top">
        <Wordmark />
      </header>
      <main id="main" className="main">
        {children}
      </main>
    </div>
  );
}

/** Shows its children to somebody signed in; sends everybody else to the sign-in page and back here afterwards. */
export function RequireSession({ children }: { children: ReactNode }): JSX.Element | null {
  const session = useAskedSession();
  const location = useLocation();
  if (session.data === undefined) {
    return (
      <EmptyFrame>
        <Unanswered session={session} />
      </EmptyFrame>
    );
  }
  const { account } = session.data;
  if (account === null) {
    const here = `${location.pathname}${location.search}`;
    return <Navigate to={here === '/' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(here)}`} replace />;
  }
  if (account.mustChangePassword && location.pathname !== '/first-password') {
    return <Navigate to="/first-password" state={{ next: `${location.pathname}${location.search}` }} replace />;
  }
  return <SessionContext value={{ ...session.data, account }}>{children}</SessionContext>;
}

/** Signs out and forgets everything that was fetched. */
export function useSignOut(): () => Promise<void> {
  const client = useQueryClient();
  return async () => {
    await call('session.signOut', {}, { keepSession: true });
    const session = client.getQueryData(sessionQuery.queryKey);
    client.clear();
    if (session !== undefined)
      client.setQueryData(sessionQuery.queryKey, { ...session, account: null, csrfToken: null });
    // A full load: nothing of this account stays in the page's memory.
    window.location.assign('/sign-in');
  };
}

/** Puts a fresh session in place of the old one after signing in or changing the password. */
export function useTakeSession(): (session: Session) => void {
  const client = useQueryClient();
  return (session) => {
    client.setQueryData(sessionQuery.queryKey, session);
    void client.invalidateQueries({ predicate: (query) => query.queryKey[0] !== 'session' });
  };
}

/** Asks the browser to keep the page while `active`: an upload runs, or something is unsaved. */
export function useLeaveGuard(active: boolean): void {
  useEffect(() => {
    if (!active) return;
    const guard = (event: BeforeUnloadEvent): void => event.preventDefault();
    window.addEventListener('beforeunload', guard);
    return () => window.removeEventListener('beforeunload', guard);
  }, [active]);
}
