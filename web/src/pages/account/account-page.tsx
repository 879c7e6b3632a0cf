import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import { call } from '../../api/client.ts';
import { dashboardQuery, sessionQuery } from '../../api/queries.ts';
import { formatBytes, formatDuration, formatIdle } from '../../format/format.ts';
import { PageHead } from '../../frame/shell.tsx';
import { useSession, useSignOut, useTakeSession } from '../../frame/session.tsx';
import { Button, CopyButton } from '../../ui/button.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { useTitle } from '../../ui/hooks.ts';
import { Facts, Panel, SpaceMeter } from '../../ui/marks.tsx';
import { ErrorNote, Note, Skeleton } from '../../ui/states.tsx';
import { showProblem, showToast } from '../../ui/toast.tsx';
import { PasswordForm } from '../sign-in.tsx';

/** A secret that is shown this once. */
export function Secret({ label, value }: { label: string; value: string }): JSX.Element {
  return (
    <div className="secret">
      <span className="group-label">{label}</span>
      <code>{value}</code>
      <CopyButton text={value} />
    </div>
  );
}

function TokenPanel(): JSX.Element {
  const { account } = useSession();
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const create = useMutation({
    mutationFn: () => call<{ token: string }>('token', { method: 'POST' }),
    onSuccess: () => {
      client.setQueryData(sessionQuery.queryKey, (old) =>
        old?.account ? { ...old, account: { ...old.account, hasToken: true } } : old,
      );
    },
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
            <Secret label="Token" value={create.data.token} />
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
          <TokenPanel />
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
