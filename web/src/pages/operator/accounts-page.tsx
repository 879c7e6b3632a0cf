import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { accountNameProblem } from '../../../../src/model/names.ts';
import type { AccountView, VolumeView } from '../../../../src/protocol/browser.ts';
import { ApiError, call } from '../../api/client.ts';
import { accountsQuery, dashboardQuery, plansQuery, volumesQuery } from '../../api/queries.ts';
import { roomOf } from '../../../../src/model/volumes.ts';
import { count, formatBytes, formatDate } from '../../format/format.ts';
import { PageHead } from '../../frame/shell.tsx';
import { useSession } from '../../frame/session.tsx';
import { useShortcuts } from '../../frame/shortcuts.tsx';
import { Button } from '../../ui/button.tsx';
import { ConfirmDialog, Dialog } from '../../ui/dialog.tsx';
import { SelectField, Switch, TextField } from '../../ui/field.tsx';
import { useTitle } from '../../ui/hooks.ts';
import { Badge, Facts, Panel } from '../../ui/marks.tsx';
import { Empty, ErrorNote, ErrorPanel, Note, Skeleton } from '../../ui/states.tsx';
import { showProblem, showToast } from '../../ui/toast.tsx';
import { Secret } from '../account/account-page.tsx';
import { OperatorOnly } from './guard.tsx';

function StateBadge({ account }: { account: AccountView }): JSX.Element {
  if (account.state === 'creating') return <Badge tone="busy">being made</Badge>;
  if (account.state === 'deleting') return <Badge tone="busy">being deleted</Badge>;
  return account.disabled ? <Badge tone="off">disabled</Badge> : <Badge tone="good">ready</Badge>;
}

function CreateDialog({
  plans,
  volumes,
  onClose,
}: {
  plans: readonly string[];
  volumes: readonly VolumeView[];
  onClose: () => void;
}): JSX.Element {
  const client = useQueryClient();
  const [username, setUsername] = useState('');
  const [plan, setPlan] = useState('');
  const [volume, setVolume] = useState('');
  const [submitted, setSubmitted] = useState(false);
  const create = useMutation({
    mutationFn: () =>
      call('accounts.create', {
        body: { username, ...(plan === '' ? {} : { plan }), ...(volume === '' ? {} : { volume }) },
      }),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: accountsQuery.queryKey });
      void client.invalidateQueries({ queryKey: dashboardQuery.queryKey });
    },
  });
  const refused = create.error instanceof ApiError ? create.error : undefined;
  const nameRefused = refused?.field === 'username' || refused?.code === 'name-taken';
  const problem = accountNameProblem(username);
  if (create.data !== undefined) {
    return (
      <Dialog key="made" title={`${create.data.username} is made`} onClose={onClose} sticky>
        <Note level="warning">
          Hand these over now: they are not shown again. The password works once; at the first sign-in its owner chooses
          another.
        </Note>
        {create.data.state === 'creating' && (
          <Note level="info">Its storage has not answered yet; the home is made as soon as it does.</Note>
        )}
        <Secret label="Account" value={create.data.username} />
        <Secret label="One-time password" value={create.data.password} />
        <Secret label="API token" value={create.data.api_token} />
        <div className="row row-end">
          <Button look="main" autoFocus onClick={onClose}>
            I have them
          </Button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title="New account" onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          setSubmitted(true);
          if (problem === undefined) create.mutate();
        }}
      >
        <TextField
          label="Account name"
          value={username}
          onChange={(event) => setUsername(event.target.value)}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          autoFocus
          problem={nameRefused ? refused.message : submitted ? problem : undefined}
          hint="Also the name of its home and of its first site."
        />
        <SelectField label="Plan" value={plan} onChange={(event) => setPlan(event.target.value)}>
          <option value="">The usual one</option>
          {plans.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </SelectField>
        <SelectField
          label="Volume"
          value={volume}
          onChange={(event) => setVolume(event.target.value)}
          hint="Where its home lives."
        >
          <option value="">Where there is room for its plan</option>
          {volumes
            .filter((candidate) => candidate.state === 'open')
            .map((candidate) => (
              <option key={candidate.name} value={candidate.name}>
                {candidate.name} ({count(candidate.accounts, 'account')}, {formatBytes(roomOf(candidate))} free,
                redundancy {candidate.redundancy})
              </option>
            ))}
        </SelectField>
        {create.error !== null && !nameRefused && <ErrorNote error={create.error} />}
        <div className="row row-end">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="main" busy={create.isPending}>
            Make the account
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function ManageDialog({
  account,
  plans,
  onClose,
}: {
  account: AccountView;
  plans: readonly string[];
  onClose: () => void;
}): JSX.Element {
  const client = useQueryClient();
  const session = useSession();
  const self = session.account.name === account.name;
  const [deleting, setDeleting] = useState(false);
  const [resetting, setResetting] = useState(false);
  const params = { name: account.name };
  const take = (view: AccountView): void => {
    client.setQueryData(accountsQuery.queryKey, (old) =>
      old?.map((other) => (other.name === view.name ? view : other)),
    );
  };
  const change = useMutation({
    mutationFn: (patch: { plan?: string; disabled?: boolean }) => call('accounts.update', { params, body: patch }),
    onSuccess: take,
    onError: showProblem,
  });
  const reset = useMutation({
    mutationFn: () => call('accounts.resetPassword', { params }),
  });
  if (deleting) {
    return (
      <ConfirmDialog
        title={`Delete ${account.name}?`}
        action="Delete the account"
        typed={account.name}
        onClose={onClose}
        run={async () => {
          await call('accounts.delete', { params, query: { confirm: account.name } });
          void client.invalidateQueries({ queryKey: accountsQuery.queryKey });
          void client.invalidateQueries({ queryKey: dashboardQuery.queryKey });
          showToast(`${account.name} is being deleted.`);
        }}
      >
        <p>
          Everything it has goes: {count(account.sites, 'site')}, all files in its home, its logs and its token.{' '}
          <strong>This cannot be undone.</strong>
        </p>
      </ConfirmDialog>
    );
  }
  if (resetting) {
    return (
      <ConfirmDialog
        title={`Reset the password of ${account.name}?`}
        action="Reset the password"
        keep="Leave it"
        onClose={() => setResetting(false)}
        run={() => reset.mutateAsync()}
      >
        <p>The present password stops working. You get a one-time password to hand over.</p>
      </ConfirmDialog>
    );
  }
  return (
    <Dialog title={account.name} onClose={onClose} sticky={reset.data !== undefined}>
      <Facts
        rows={[
          ['State', <StateBadge key="s" account={account} />],
          ['Role', account.role],
          ['Volume', account.volume ?? 'none'],
          [
            'Sites',
            <Link key="w" to={`/web?account=${encodeURIComponent(account.name)}`}>
              {count(account.sites, 'site')}
            </Link>,
          ],
          ['Made', formatDate(account.createdAt)],
        ]}
      />
      <SelectField
        label="Plan"
        value={account.plan}
        disabled={change.isPending}
        onChange={(event) =>
          change.mutate(
            { plan: event.target.value },
            // The answer says what holds now; the field is back at the old value until then.
            { onSuccess: (view) => showToast(`${view.name} has the plan ${view.plan} now.`) },
          )
        }
        hint="Limits change at once; running programs take theirs at the next reload."
      >
        {[...new Set([account.plan, ...plans])].map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </SelectField>
      {!self && (
        <Switch
          label="Disabled"
          hint="A disabled account cannot sign in and its sites do not run. Nothing of it is deleted."
          checked={account.disabled}
          onChange={(disabled) => change.mutate({ disabled })}
        />
      )}
      {reset.data !== undefined && (
        <>
          <Note level="warning">Hand it over now: it is not shown again.</Note>
          <Secret label="One-time password" value={reset.data.password} />
          <div className="row row-end">
            <Button look="main" onClick={onClose}>
              I have it
            </Button>
          </div>
        </>
      )}
      {!self && (
        <div className="row">
          <Button icon="key" busy={reset.isPending} onClick={() => setResetting(true)}>
            Reset the password
          </Button>
          <Button look="danger" icon="trash" onClick={() => setDeleting(true)}>
            Delete
          </Button>
        </div>
      )}
      {self && <p className="soft small">This is you: change your password on the Account page.</p>}
    </Dialog>
  );
}

/** A list of a thousand accounts is searched, not scrolled. */
const ROWS = 200;

function Accounts(): JSX.Element {
  const accounts = useQuery(accountsQuery);
  const plans = useQuery(plansQuery);
  const volumes = useQuery(volumesQuery);
  const [parameters] = useSearchParams();
  const [filter, setFilter] = useState(parameters.get('find') ?? '');
  const [creating, setCreating] = useState(false);
  const [managing, setManaging] = useState<string | null>(null);
  useTitle('Accounts');
  useShortcuts('Accounts', [{ keys: 'n', label: 'New account', run: () => setCreating(true) }]);
  const planNames = plans.data?.map((plan) => plan.name) ?? [];
  const needle = filter.trim().toLowerCase();
  const found = (accounts.data ?? []).filter(
    (account) =>
      needle === '' ||
      account.name.includes(needle) ||
      account.plan.includes(needle) ||
      account.volume?.includes(needle) === true,
  );
  const managed = accounts.data?.find((account) => account.name === managing);
  return (
    <>
      <PageHead
        title="Accounts"
        under={accounts.data !== undefined && <p className="soft tabular">{count(accounts.data.length, 'account')}</p>}
        actions={
          <>
            <input
              className="input browser-filter"
              type="search"
              aria-label="Find an account"
              placeholder="Name, plan or volume"
              value={filter}
              onChange={(event) => setFilter(event.target.value)}
            />
            <Button look="main" icon="plus" onClick={() => setCreating(true)}>
              New account
            </Button>
          </>
        }
      />
      {accounts.data === undefined ? (
        accounts.error === null ? (
          <Panel>
            <Skeleton lines={8} label="Loading accounts" />
          </Panel>
        ) : (
          <ErrorPanel
            what="The accounts could not be loaded"
            error={accounts.error}
            retry={() => void accounts.refetch()}
          />
        )
      ) : (
        <Panel flush>
          {found.length === 0 ? (
            <Empty icon="people" title={accounts.data.length === 0 ? 'No account yet' : 'No such account'}>
              {accounts.data.length === 0
                ? 'Make the first one, or open sign-up under Settings.'
                : 'No name, plan or volume has that in it.'}
            </Empty>
          ) : (
            <div className="table-scroll">
              <table className="table table-cards">
                <thead>
                  <tr>
                    <th scope="col">Name</th>
                    <th scope="col">State</th>
                    <th scope="col">Plan</th>
                    <th scope="col">Volume</th>
                    <th scope="col">Sites</th>
                    <th scope="col">Made</th>
                    <th scope="col">
                      <span className="visually-hidden">Actions</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {found.slice(0, ROWS).map((account) => (
                    <tr key={account.name}>
                      <td>
                        <strong className="anywhere">{account.name}</strong>
                        {account.role === 'operator' && <span className="faint small"> operator</span>}
                      </td>
                      <td>
                        <StateBadge account={account} />
                      </td>
                      <td data-label="Plan">{account.plan}</td>
                      <td data-label="Volume">{account.volume ?? <span className="faint">none</span>}</td>
                      <td data-label="Sites" className="tabular">
                        {account.sites > 0 ? (
                          <Link to={`/web?account=${encodeURIComponent(account.name)}`}>{account.sites}</Link>
                        ) : (
                          0
                        )}
                      </td>
                      <td data-label="Made">{formatDate(account.createdAt)}</td>
                      <td className="actions">
                        <Button small disabled={account.state === 'deleting'} onClick={() => setManaging(account.name)}>
                          Manage<span className="visually-hidden"> {account.name}</span>
                        </Button>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
              {found.length > ROWS && (
                <p className="panel-words soft">
                  The first {ROWS} of {count(found.length, 'account')}. Type a part of a name above to find the others.
                </p>
              )}
            </div>
          )}
        </Panel>
      )}
      {creating && <CreateDialog plans={planNames} volumes={volumes.data ?? []} onClose={() => setCreating(false)} />}
      {managed !== undefined && (
        <ManageDialog key={managed.name} account={managed} plans={planNames} onClose={() => setManaging(null)} />
      )}
    </>
  );
}

export function AccountsPage(): JSX.Element {
  return (
    <OperatorOnly>
      <Accounts />
    </OperatorOnly>
  );
}
