import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import { useNavigate } from 'react-router';
import { domainProblem } from '../../../../src/model/names.ts';
import type { CreateSite } from '../../../../src/protocol/browser.ts';
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

  const [chosenPlace, setPlace] = useState<Place | null>(null);
  const place = chosenPlace ?? (taken.has(own) ? 'prefixed' : 'own');
  const [prefix, setPrefix] = useState('');
  const [custom, setCustom] = useState('');
  const [start, setStart] = useState<Quickstart>('django');
  const [python, setPython] = useState<string | null>(null);
  const [command, setCommand] = useState('');
  const [submitted, setSubmitted] = useState(false);

  const pythons = (dashboard.data?.account?.pythons ?? []).toSorted((a, b) =>
    b.version.localeCompare(a.version, 'en', { numeric: true }),
  );
  const preferred = pythons.find((candidate) => candidate.uwsgiPlugin) ?? pythons[0];
  const version = python ?? preferred?.version;
  const domain = typedDomain(place === 'own' ? own : place === 'prefixed' ? `${prefix}-${own}` : custom);

  const typed = place === 'own' || (place === 'prefixed' ? prefix : custom).trim() !== '';
  const problem = !typed
    ? 'Please type a name.'
    : taken.has(domain)
      ? `You already have a site at ${domain}.`
      : domainProblem(domain, account.name, platform.domain);
  const commandProblem =
    start === 'command' && command.trim() === '' ? 'Please type the command that starts your server.' : undefined;

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
  const refused = create.error instanceof ApiError ? create.error : undefined;
  const typedSomething = prefix !== '' || custom !== '' || command !== '';
  useUnsaved(typedSomething && (create.isIdle || create.isError), {
    what: 'The new site',
    text: 'is not made yet. What you typed is lost when you leave.',
  });
  const domainWrong =
    (submitted || (place !== 'own' && typed)) && problem !== undefined
      ? problem
      : refused?.field === 'domain' || refused?.code === 'domain-taken'
        ? refused.message
        : undefined;

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
                  disabled={taken.has(own)}
                  onChange={() => setPlace('own')}
                />
                <span>
                  <strong className="anywhere">{own}</strong>
                  <span className="soft small">
                    {taken.has(own) ? 'In use by a site of yours' : 'Your own address on this platform'}
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
                autoFocus={chosenPlace === 'prefixed'}
                placeholder="shop"
                problem={domainWrong}
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
                problem={domainWrong}
                hint={`${domain.includes('xn--') && custom !== domain ? `Kept as ${domain}, the form that the name service knows. ` : ''}At your domain's provider, point this name at this platform's address (a CNAME or A record).`}
              />
            )}
            {place === 'own' && domainWrong !== undefined && (
              <p className="field-problem" role="alert">
                {domainWrong}
              </p>
            )}
          </fieldset>
        </Panel>
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
                <input
                  type="radio"
                  name="start"
                  checked={start === option.value}
                  onChange={() => setStart(option.value)}
                />
                <span>
                  <strong>{option.name}</strong>
                  <span className="soft small">{option.text}</span>
                </span>
              </label>
            ))}
          </fieldset>
        </Panel>
        {usesPython(start) && (
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
              onChange={(event) => setPython(event.target.value)}
              hint="A virtualenv made with another version can be chosen later, in the site's code settings."
            >
              {pythons.length === 0 && <option value="">The platform's own</option>}
              {pythons.map((candidate) => (
                <option key={candidate.version} value={candidate.version}>
                  Python {candidate.version}
                  {candidate === preferred ? ' (recommended)' : ''}
                </option>
              ))}
            </SelectField>
          </Panel>
        )}
        {start === 'command' && (
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
              onChange={(event) => setCommand(event.target.value)}
              spellCheck={false}
              placeholder={`/home/${account.name}/.virtualenvs/mysite/bin/uvicorn --app-dir /home/${account.name}/mysite --uds $DOMAIN_SOCKET main:app`}
              problem={submitted ? commandProblem : undefined}
              hint="It must listen on the Unix socket whose path is in $DOMAIN_SOCKET, and stay in the foreground."
            />
          </Panel>
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
