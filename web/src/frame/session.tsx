import { useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import { createContext, type JSX, type ReactNode, useContext, useEffect } from 'react';
import { Navigate, useLocation } from 'react-router';
import type { Session } from '../../../src/protocol/browser.ts';
import { send } from '../api/client.ts';
import { sessionQuery } from '../api/queries.ts';
import { OutLink } from '../ui/button.tsx';
import { ErrorPanel } from '../ui/states.tsx';

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

/** What there is to be seen until the session is known: nothing for a moment, and what is wrong as soon as the first try has failed. */
export function Unanswered({ session }: { session: UseQueryResult<Session> }): JSX.Element | null {
  const problem = session.error ?? session.failureReason;
  if (problem === null) return null;
  return (
    <ErrorPanel
      level={1}
      what="Holdfast's pages do not answer right now"
      text="Disks are watched and repaired without them, too. This page opens by itself as soon as they are back."
      error={problem}
      retry={() => void session.refetch()}
    >
      <OutLink href="/status/" icon="open">
        Status page
      </OutLink>
    </ErrorPanel>
  );
}

/** Shows its children to somebody signed in; sends everybody else to the sign-in page and back here afterwards. */
export function RequireSession({ children }: { children: ReactNode }): JSX.Element | null {
  const session = useAskedSession();
  const location = useLocation();
  if (session.data === undefined) {
    return (
      <main className="door">
        <Unanswered session={session} />
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
