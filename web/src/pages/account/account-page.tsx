import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import { call } from '../../api/client.ts';
import { dashboardQuery, sessionQuery } from '../../api/queries.ts';
import { formatBytes, formatDuration, formatIdle } from '../../format/format.ts';
import { PageHead } from '../../frame/shell.tsx';
import { useSession, useSignOut, useTakeSession } from '../../frame/session.tsx';
import { useUnsaved } from '../../frame/unsaved.tsx';
import { Button, CopyButton } from '../../ui/button.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { useTitle } from '../../ui/hooks.ts';
import { Facts, Panel, SpaceMeter } from '../../ui/marks.tsx';
import { ErrorNote, Note, Skeleton } from '../../ui/states.tsx';
import { showProblem, showToast } from '../../ui/toast.tsx';
import { CA_BUNDLE_ADDRESS, clientSettings } from './client-settings.ts';
import { PasswordForm } from '../sign-in.tsx';

/** A secret that is shown this once. */
export function Secret({
  label,
  value,
  onCopied,
}: {
  label: string;
  value: string;
  onCopied?: () => void;
}): JSX.Element {
  return (
    <div className="secret">
      <span className="group-label">{label}</span>
      <code>{value}</code>
      <CopyButton text={value} {...(onCopied === undefined ? {} : { onCopied })} />
    </div>
  );
}

/** What to type on a computer of one's own, so that `pa` and its like talk to this platform. */
function ClientPanel({ token }: { token: string | undefined }): JSX.Element {
  const { account, platform } = useSession();
  const text = clientSettings({ domain: platform.domain, httpsPort: platform.httpsPort, account: account.name, token });
  return (
    <Panel title="Clients on your computer" aside={<CopyButton text={text} />}>
      <div className="stack">
        <p className="soft">
          For pa and other clients of PythonAnywhere's API: type this into the shell that runs them. Inside your
          programs here all but the token is set already.
        </p>
        <pre className="output" tabIndex={0} aria-label="Settings of a client">
          {text}
        </pre>
        <p className="soft small">
          {token === undefined && 'A token is shown once, when it is made above. '}
          The platform signs its certificates itself, so clients must be told to trust it:{' '}
          <a href={CA_BUNDLE_ADDRESS} download="holdfast-ca-bundle.pem">
            download the certificates
          </a>{' '}
          (the public ones are in it, too) and put the file where <code>REQUESTS_CA_BUNDLE</code> says.
        </p>
      </div>
    </Panel>
  );
}

function TokenPanel({ onToken }: { onToken: (token: string) => void }): JSX.Element {
  const { account } = useSession();
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const [kept, setKept] = useState(false);
  const create = useMutation({
    mutationFn: () => call('session.renewToken'),
    onSuccess: ({ token }) => {
      onToken(token);
      setKept(false);
      client.setQueryData(sessionQuery.queryKey, (old) =>
        old?.account ? { ...old, account: { ...old.account, hasToken: true } } : old,
      );
    },
  });
  useUnsaved(create.data !== undefined && !kept, {
    what: 'The new API token',
    text: 'is shown here and nowhere else. Copy it before you leave.',
  });
  return (
    <Panel title="API token">
      <div className="stack">
        <p className="soft">
          For scripts and clients such as pa: they send it with every request and act as you. Treat it like a password.
        </p>
        {create.data !== undefined && (
          <>
            <Note level="warning">Copy it now. Only its fingerprint is kept, so it cannot be shown again.</Note>
            <Secret label="Token" value={create.data.token} onCopied={() => setKept(true)} />
          </>
        )}
        {create.error !== null && <ErrorNote error={create.error} />}
        <div className="row">
          <Button
            icon="key"
            busy={create.isPending}
            onClick={() => (account.hasToken ? setAsking(true) : create.mutate())}
          >
            {account.hasToken ? 'Make a new token' : 'Make a token'}
          </Button>
          <span className="soft small">{account.hasToken ? 'You have a token.' : 'You have no token yet.'}</span>
        </div>
      </div>
      {asking && (
        <ConfirmDialog
          title="Make a new token?"
          action="Make a new token"
          keep="Keep the old one"
          run={() => create.mutateAsync()}
          onClose={() => setAsking(false)}
        >
          <p>The token you have stops working at once. Scripts that use it need the new one.</p>
        </ConfirmDialog>
      )}
    </Panel>
  );
}

export function AccountPage(): JSX.Element {
  const { account } = useSession();
  const take = useTakeSession();
  const signOut = useSignOut();
  const dashboard = useQuery(dashboardQuery);
  const [token, setToken] = useState<string>();
  const own = dashboard.data?.account ?? null;
  useTitle('Account');
  return (
    <>
      <PageHead
        title="Account"
        actions={
          <Button icon="out" onClick={() => signOut().catch(showProblem)}>
            Sign out
          </Button>
        }
      />
      <div className="columns">
        <div className="stack">
          <TokenPanel onToken={setToken} />
          {account.role === 'member' && <ClientPanel token={token} />}
          <Panel title="Password">
            <PasswordForm
              currentLabel="Current password"
              action="Change the password"
              onDone={(session) => {
                take(session);
                showToast('Password changed.');
              }}
            />
          </Panel>
        </div>
        <Panel title="Plan and limits">
          {dashboard.data === undefined && dashboard.error === null ? (
            <Skeleton lines={6} />
          ) : (
            <div className="stack">
              <Facts
                rows={[
                  ['Account', account.name],
                  ['Role', account.role],
                  ['Plan', account.plan],
                  ...(own === null
                    ? []
                    : ([
                        ['Sites', `${own.sites.length} of ${own.limits.sites}`],
                        ['Workers a site', own.limits.workers],
                        ['Memory a program', formatBytes(own.limits.memoryBytes)],
                        ['Processes', own.limits.processes],
                        ['CPU a day', `${own.limits.cpuSecondsPerDay.toLocaleString('en-GB')} s`],
                        ['Longest request', formatDuration(own.limits.requestTimeoutSeconds)],
                        ['Sites sleep after', formatIdle(own.limits.idleSleepSeconds)],
                      ] as const)),
                ]}
              />
              {own?.disk && (
                <SpaceMeter usedBytes={own.disk.usedBytes} limitBytes={own.disk.limitBytes} label="Disk used" />
              )}
              <p className="soft small">The operator changes plans and deletes accounts.</p>
            </div>
          )}
        </Panel>
      </div>
    </>
  );
}
