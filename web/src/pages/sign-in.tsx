import { useMutation } from '@tanstack/react-query';
import { type FormEvent, type JSX, type ReactNode, useState } from 'react';
import { Navigate, useLocation, useNavigate, useSearchParams } from 'react-router';
import { accountNameProblem } from '../../../src/model/names.ts';
import type { Session } from '../../../src/protocol/browser.ts';
import { ApiError, call } from '../api/client.ts';
import { safeReturn, Unanswered, useAskedSession, useSession, useSignOut, useTakeSession } from '../frame/session.tsx';
import { Button } from '../ui/button.tsx';
import { TextField } from '../ui/field.tsx';
import { useTitle } from '../ui/hooks.ts';
import { Wordmark } from '../ui/icon.tsx';
import { ErrorNote, Note } from '../ui/states.tsx';

function Door({ children, foot }: { children: ReactNode; foot?: ReactNode }): JSX.Element {
  return (
    <main className="door">
      <div className="door-inside">
        <Wordmark />
        {children}
        <p className="door-foot">{foot ?? 'Python hosting that repairs its own storage.'}</p>
      </div>
    </main>
  );
}

export function SignInPage(): JSX.Element | null {
  const session = useAskedSession();
  const [parameters] = useSearchParams();
  const [signingUp, setSigningUp] = useState(false);
  useTitle(signingUp ? 'Sign up' : 'Sign in');
  const next = safeReturn(parameters.get('next'));

  if (session.data === undefined) {
    return (
      <Door>
        <Unanswered session={session} />
      </Door>
    );
  }
  const { account, platform, signUpOpen } = session.data;
  if (account !== null) return <Navigate to={next} replace />;
  return (
    <Door foot={`${platform.domain} · Holdfast ${platform.version}`}>
      <SignInForm
        domain={platform.domain}
        signUpOpen={signUpOpen}
        next={next}
        signingUp={signingUp}
        onTurn={() => setSigningUp(!signingUp)}
      />
    </Door>
  );
}

/** For whoever has no account, and for whoever has one already. */
function OtherWay({
  open,
  signingUp,
  onTurn,
}: {
  /** Anybody may make an account. */
  open: boolean;
  signingUp: boolean;
  onTurn: () => void;
}): JSX.Element {
  if (!open) {
    return (
      <p className="small soft">No account yet, or the password is lost? The operator of this platform can help.</p>
    );
  }
  return (
    <p className="small soft row">
      {signingUp ? 'You have an account?' : 'No account yet?'}
      <Button look="link" onClick={onTurn}>
        {signingUp ? 'Sign in' : 'Make one'}
      </Button>
    </p>
  );
}

function SignInForm({
  domain,
  signUpOpen,
  next,
  signingUp,
  onTurn,
}: {
  domain: string;
  signUpOpen: boolean;
  /** Where the way in leads to. */
  next: string;
  signingUp: boolean;
  /** From signing in to signing up, or back. */
  onTurn: () => void;
}): JSX.Element {
  const take = useTakeSession();
  const navigate = useNavigate();
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [touched, setTouched] = useState(false);

  const enter = useMutation({
    mutationFn: () =>
      call(
        signingUp ? 'session.signUp' : 'session.signIn',
        { body: { username: username.trim(), password } },
        { keepSession: true },
      ),
    onSuccess: (fresh) => {
      take(fresh);
      void navigate(next, { replace: true });
    },
  });

  const nameProblem = signingUp && touched && username !== '' ? accountNameProblem(username.trim()) : undefined;
  const fieldError = enter.error instanceof ApiError ? enter.error : undefined;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setTouched(true);
    if (signingUp && accountNameProblem(username.trim()) !== undefined) return;
    enter.mutate();
  };
  return (
    <form className="panel stack" onSubmit={submit} aria-labelledby="door-title">
      <h1 id="door-title">{signingUp ? 'Make an account' : 'Sign in'}</h1>
      {next !== '/' && !signingUp && <p className="soft small">After signing in you return to where you were.</p>}
      <TextField
        label="Account name"
        name="username"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        required
        autoFocus
        value={username}
        onChange={(event) => setUsername(event.target.value)}
        onBlur={() => setTouched(true)}
        problem={nameProblem ?? (fieldError?.field === 'username' ? fieldError.message : undefined)}
        hint={
          signingUp
            ? `Your first site will be at ${username.trim() === '' ? 'name' : username.trim()}.${domain}.`
            : undefined
        }
      />
      <TextField
        label="Password"
        name="password"
        type="password"
        autoComplete={signingUp ? 'new-password' : 'current-password'}
        required
        value={password}
        onChange={(event) => setPassword(event.target.value)}
        problem={fieldError?.field === 'password' ? fieldError.message : undefined}
        hint={signingUp ? 'Long beats complicated: three or four words will do.' : undefined}
      />
      {enter.error !== null && fieldError?.field !== 'username' && fieldError?.field !== 'password' && (
        <ErrorNote error={enter.error} />
      )}
      <Button type="submit" look="main" busy={enter.isPending}>
        {signingUp ? 'Make the account' : 'Sign in'}
      </Button>
      <OtherWay
        open={signUpOpen}
        signingUp={signingUp}
        onTurn={() => {
          enter.reset();
          setTouched(false);
          onTurn();
        }}
      />
    </form>
  );
}

/** The two fields of a password change; used at the first sign-in and on the account page. */
export function PasswordForm({
  currentLabel,
  action,
  onDone,
}: {
  currentLabel: string;
  action: string;
  onDone: (session: Session) => void;
}): JSX.Element {
  const { account } = useSession();
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const [again, setAgain] = useState('');
  const [submitted, setSubmitted] = useState(false);
  const change = useMutation({
    mutationFn: () => call('session.changePassword', { body: { current, next } }, { keepSession: true }),
    onSuccess: (session) => {
      setCurrent('');
      setNext('');
      setAgain('');
      setSubmitted(false);
      onDone(session);
    },
  });
  const mismatch =
    again !== '' && again !== next && (submitted || again.length >= next.length)
      ? 'The two new passwords are not the same.'
      : undefined;
  const error = change.error instanceof ApiError ? change.error : undefined;
  return (
    <form
      className="stack narrow"
      onSubmit={(event) => {
        event.preventDefault();
        setSubmitted(true);
        if (next === again) change.mutate();
      }}
    >
      {/* For password managers: they want to know whose password it is. */}
      <input
        className="visually-hidden"
        type="text"
        name="username"
        autoComplete="username"
        value={account.name}
        readOnly
        tabIndex={-1}
        aria-hidden="true"
      />
      <TextField
        label={currentLabel}
        type="password"
        autoComplete="current-password"
        required
        value={current}
        onChange={(event) => setCurrent(event.target.value)}
        problem={error?.code === 'wrong-password' || error?.field === 'current' ? error.message : undefined}
      />
      <TextField
        label="New password"
        type="password"
        autoComplete="new-password"
        required
        value={next}
        onChange={(event) => setNext(event.target.value)}
        problem={error?.field === 'next' || error?.field === 'password' ? error.message : undefined}
        hint="Long beats complicated: three or four words will do."
      />
      <TextField
        label="New password again"
        type="password"
        autoComplete="new-password"
        required
        value={again}
        onChange={(event) => setAgain(event.target.value)}
        problem={mismatch}
      />
      {change.error !== null && error?.field === undefined && error?.code !== 'wrong-password' && (
        <ErrorNote error={change.error} />
      )}
      <div className="row">
        <Button type="submit" look="main" busy={change.isPending}>
          {action}
        </Button>
      </div>
    </form>
  );
}

export function FirstPasswordPage(): JSX.Element {
  const { account } = useSession();
  const take = useTakeSession();
  const navigate = useNavigate();
  const location = useLocation();
  const signOut = useSignOut();
  useTitle('Choose your password');
  const state: unknown = location.state;
  const next =
    typeof state === 'object' && state !== null && 'next' in state && typeof state.next === 'string'
      ? safeReturn(state.next)
      : '/';
  return (
    <Door
      foot={
        <Button look="quiet" small onClick={() => void signOut()}>
          Sign out
        </Button>
      }
    >
      <section className="panel stack">
        <h1>Choose your password</h1>
        <Note level="info">
          Welcome, {account.name}. The password you came in with works once; choose your own to go on.
        </Note>
        <PasswordForm
          currentLabel="One-time password"
          action="Set the password"
          onDone={(session) => {
            take(session);
            void navigate(next, { replace: true });
          }}
        />
      </section>
    </Door>
  );
}
