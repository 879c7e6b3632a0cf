import { useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, type JSX, type ReactNode, useContext, useEffect } from 'react';
import { Navigate, useLocation } from 'react-router';
import type { Session } from '../../../src/protocol/browser.ts';
import { send } from '../api/client.ts';
import { sessionQuery } from '../api/queries.ts';
import { ErrorPanel } from '../ui/states.tsx';

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

/** Shows its children to somebody signed in; sends everybody else to the sign-in page and back here afterwards. */
export function RequireSession({ children }: { children: ReactNode }): JSX.Element | null {
  const session = useQuery(sessionQuery);
  const location = useLocation();
  if (session.data === undefined) {
    if (session.error === null) return null;
    return (
      <main className="door">
        <ErrorPanel what="Holdfast cannot be reached" error={session.error} retry={() => void session.refetch()} />
      </main>
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
    await send('session', { method: 'DELETE', keepSession: true });
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
