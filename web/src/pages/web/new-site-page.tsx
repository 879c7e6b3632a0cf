import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import { useNavigate } from 'react-router';
import { domainProblem } from '../../../../src/model/names.ts';
import type { CreateSite, Dashboard } from '../../../../src/protocol/browser.ts';
import { ApiError, call } from '../../api/client.ts';
import { dashboardQuery, siteQuery } from '../../api/queries.ts';
import { PageHead } from '../../frame/shell.tsx';
import { useSession } from '../../frame/session.tsx';
import { useUnsaved } from '../../frame/unsaved.tsx';
import { Button, LinkButton } from '../../ui/button.tsx';
import { AreaField, SelectField, TextField } from '../../ui/field.tsx';
import { useTitle } from '../../ui/hooks.ts';
import { Panel } from '../../ui/marks.tsx';
import { ErrorNote } from '../../ui/states.tsx';
import { typedDomain } from './typed-domain.ts';

type Quickstart = CreateSite['quickstart'];
type Place = 'own' | 'prefixed' | 'custom';

const STARTS: ReadonlyArray<{ value: Quickstart; name: string; text: string }> = [
  { value: 'django', name: 'Django', text: 'A new project with its settings, admin and static files in place.' },
  { value: 'flask', name: 'Flask', text: 'One small file that answers, ready to grow.' },
  { value: 'fastapi', name: 'FastAPI / ASGI', text: 'Async Python with uvicorn. Websockets work.' },
  { value: 'static', name: 'Static', text: 'HTML, CSS, images: a directory, served as it is.' },
  { value: 'manual', name: 'Manual', text: 'An explained WSGI file to point at a project you bring.' },
  { value: 'command', name: 'Your own command', text: 'Any server that listens on $DOMAIN_SOCKET.' },
];

function usesPython(start: Quickstart): boolean {
  return start !== 'static' && start !== 'command';
}

type Pythons = NonNullable<Dashboard['account']>['pythons'];

function newestFirst(dashboard: Dashboard | undefined): Pythons {
  return (dashboard?.account?.pythons ?? []).toSorted((a, b) =>
    b.version.localeCompare(a.version, 'en', { numeric: true }),
  );
}

/** The newest that a site can be served with by the platform's own server; else the newest. */
function preferredOf(pythons: Pythons): Pythons[number] | undefined {
  return pythons.find((candidate) => candidate.uwsgiPlugin) ?? pythons[0];
}

function commandProblemOf(start: Quickstart, command: string): string | undefined {
  return start === 'command' && command.trim() === '' ? 'Please type the command that starts your server.' : undefined;
}

function refusedDomain(error: Error | null): string | undefined {
  const refused = error instanceof ApiError && (error.field === 'domain' || error.code === 'domain-taken');
  return refused ? error.message : undefined;
}

/** What is typed for an address, before it is a domain. */
function useAddress(own: string, ownTaken: boolean) {
  const [chosenPlace, setPlace] = useState<Place | null>(null);
  const place = chosenPlace ?? (ownTaken ? 'prefixed' : 'own');
  const [prefix, setPrefix] = useState('');
  const [custom, setCustom] = useState('');
  const domain = typedDomain(place === 'own' ? own : place === 'prefixed' ? `${prefix}-${own}` : custom);
  const typed = place === 'own' || (place === 'prefixed' ? prefix : custom).trim() !== '';
  /** The member, and not the page, chose a prefixed address. */
  const chosen = chosenPlace === 'prefixed';
  return { place, chosen, setPlace, prefix, setPrefix, custom, setCustom, domain, typed };
}

function AddressPanel({
  own,
  ownTaken,
  address: { place, chosen, setPlace, prefix, setPrefix, custom, setCustom, domain },
  problem,
}: {
  own: string;
  ownTaken: boolean;
  address: ReturnType<typeof useAddress>;
  problem: string | undefined;
}): JSX.Element {
  return (
    <Panel
      title={
        <>
          <span className="step-number">1</span> Address
        </>
      }
    >
      <fieldset className="stack-s">
        <legend className="visually-hidden">Where the site answers</legend>
        <div className="choice-grid">
          <label className="choice">
            <input
              type="radio"
              name="place"
              checked={place === 'own'}
              disabled={ownTaken}
              onChange={() => setPlace('own')}
            />
            <span>
              <strong className="anywhere">{own}</strong>
              <span className="soft small">
                {ownTaken ? 'In use by a site of yours' : 'Your own address on this platform'}
              </span>
            </span>
          </label>
          <label className="choice">
            <input type="radio" name="place" checked={place === 'prefixed'} onChange={() => setPlace('prefixed')} />
            <span>
              <strong className="anywhere">something-{own}</strong>
              <span className="soft small">A further address on this platform</span>
            </span>
          </label>
          <label className="choice">
            <input type="radio" name="place" checked={place === 'custom'} onChange={() => setPlace('custom')} />
            <span>
              <strong>A domain of yours</strong>
              <span className="soft small">Like www.example.com</span>
            </span>
          </label>
        </div>
        {place === 'prefixed' && (
          <TextField
            label="First part"
            value={prefix}
            onChange={(event) => setPrefix(event.target.value)}
            after={<span className="field-affix truncate">-{own}</span>}
            autoCapitalize="none"
            spellCheck={false}
            autoComplete="off"
            autoFocus={chosen}
            placeholder="shop"
            problem={problem}
          />
        )}
        {place === 'custom' && (
          <TextField
            label="Domain"
            value={custom}
            onChange={(event) => setCustom(event.target.value)}
            autoCapitalize="none"
            spellCheck={false}
            autoComplete="off"
            autoFocus
            placeholder="www.example.com"
            problem={problem}
            hint={`${domain.includes('xn--') && custom !== domain ? `Kept as ${domain}, the form that the name service knows. ` : ''}At your domain's provider, point this name at this platform's address (a CNAME or A record).`}
          />
        )}
        {place === 'own' && problem !== undefined && (
          <p className="field-problem" role="alert">
            {problem}
          </p>
        )}
      </fieldset>
    </Panel>
  );
}

function StartPanel({ start, onStart }: { start: Quickstart; onStart: (start: Quickstart) => void }): JSX.Element {
  return (
    <Panel
      title={
        <>
          <span className="step-number">2</span> How it starts
        </>
      }
    >
      <fieldset className="choice-grid">
        <legend className="visually-hidden">Quickstart</legend>
        {STARTS.map((option) => (
          <label className="choice" key={option.value}>
            <input type="radio" name="start" checked={start === option.value} onChange={() => onStart(option.value)} />
            <span>
              <strong>{option.name}</strong>
              <span className="soft small">{option.text}</span>
            </span>
          </label>
        ))}
      </fieldset>
    </Panel>
  );
}

/** `pythons`: newest first. */
function PythonPanel({
  pythons,
  version,
  onVersion,
}: {
  pythons: Pythons;
  version: string | undefined;
  onVersion: (version: string) => void;
}): JSX.Element {
  return (
    <Panel
      title={
        <>
          <span className="step-number">3</span> Python
        </>
      }
    >
      <SelectField
        label="Version"
        value={version ?? ''}
        disabled={pythons.length === 0}
        onChange={(event) => onVersion(event.target.value)}
        hint="A virtualenv made with another version can be chosen later, in the site's code settings."
      >
        {pythons.length === 0 && <option value="">The platform's own</option>}
        {pythons.map((candidate) => (
          <option key={candidate.version} value={candidate.version}>
            Python {candidate.version}
            {candidate === preferredOf(pythons) ? ' (recommended)' : ''}
          </option>
        ))}
      </SelectField>
    </Panel>
  );
}

function CommandPanel({
  command,
  onCommand,
  problem,
}: {
  command: string;
  onCommand: (command: string) => void;
  problem: string | undefined;
}): JSX.Element {
  const { account } = useSession();
  return (
    <Panel
      title={
        <>
          <span className="step-number">3</span> Command
        </>
      }
    >
      <AreaField
        label="Run by bash in your home directory"
        mono
        rows={3}
        value={command}
        onChange={(event) => onCommand(event.target.value)}
        spellCheck={false}
        placeholder={`/home/${account.name}/.virtualenvs/mysite/bin/uvicorn --app-dir /home/${account.name}/mysite --uds $DOMAIN_SOCKET main:app`}
        problem={problem}
        hint="It must listen on the Unix socket whose path is in $DOMAIN_SOCKET, and stay in the foreground."
      />
    </Panel>
  );
}

export function NewSitePage(): JSX.Element {
  const { account, platform } = useSession();
  const client = useQueryClient();
  const navigate = useNavigate();
  const dashboard = useQuery(dashboardQuery);
  useTitle('New site');
  const own = `${account.name}.${platform.domain}`;
  const [making, setMaking] = useState<string | null>(null);
  // The site that is being made is in the list before the answer is here: it is not in its own way.
  const taken = new Set(
    (dashboard.data?.account?.sites ?? []).map((site) => site.domain).filter((domain) => domain !== making),
  );

  const address = useAddress(own, taken.has(own));
  const { place, domain, typed } = address;
  const [start, setStart] = useState<Quickstart>('django');
  const [python, setPython] = useState<string | null>(null);
  const [command, setCommand] = useState('');
  const [submitted, setSubmitted] = useState(false);

  const pythons = newestFirst(dashboard.data);
  const version = python ?? preferredOf(pythons)?.version;
  const problem = typed
    ? taken.has(domain)
      ? `You already have a site at ${domain}.`
      : domainProblem(domain, account.name, platform.domain)
    : 'Please type a name.';
  const commandProblem = commandProblemOf(start, command);

  const create = useMutation({
    mutationFn: () =>
      call('sites.create', {
        body: {
          domain,
          quickstart: start,
          ...(usesPython(start) && version !== undefined ? { pythonVersion: version } : {}),
          ...(start === 'command' ? { command: command.trim() } : {}),
        },
      }),
    onError: () => setMaking(null),
    onSuccess: (site) => {
      client.setQueryData(siteQuery(site.id).queryKey, site);
      void client.invalidateQueries({ queryKey: ['sites'] });
      void client.invalidateQueries({ queryKey: dashboardQuery.queryKey });
      void navigate(`/web/${site.id}`, { state: { created: true } });
    },
  });
  const typedSomething = address.prefix !== '' || address.custom !== '' || command !== '';
  useUnsaved(typedSomething && (create.isIdle || create.isError), {
    what: 'The new site',
    text: 'is not made yet. What you typed is lost when you leave.',
  });
  // An empty field is no mistake before it was tried.
  const shownProblem = submitted || (place !== 'own' && typed) ? problem : undefined;
  const domainWrong = shownProblem ?? refusedDomain(create.error);

  return (
    <>
      <PageHead title="New site" />
      <form
        className="wizard stack"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          setSubmitted(true);
          if (problem !== undefined || commandProblem !== undefined || create.isPending) return;
          setMaking(domain);
          create.mutate();
        }}
      >
        <AddressPanel own={own} ownTaken={taken.has(own)} address={address} problem={domainWrong} />
        <StartPanel start={start} onStart={setStart} />
        {usesPython(start) && <PythonPanel pythons={pythons} version={version} onVersion={setPython} />}
        {start === 'command' && (
          <CommandPanel command={command} onCommand={setCommand} problem={submitted ? commandProblem : undefined} />
        )}
        {create.error !== null && domainWrong === undefined && <ErrorNote error={create.error} />}
        <div className="row">
          <Button type="submit" look="main" busy={create.isPending}>
            {create.isPending ? 'Making the site' : 'Make the site'}
          </Button>
          <LinkButton to="/web" look="quiet">
            Cancel
          </LinkButton>
          {typed && problem === undefined && (
            <span className="soft small anywhere">
              It will answer at <strong>{domain}</strong>. Files you already have are never overwritten.
            </span>
          )}
        </div>
      </form>
    </>
  );
}
