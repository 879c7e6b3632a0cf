import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import { useNavigate } from 'react-router';
import { domainProblem } from '../../../../src/model/names.ts';
import type { SiteView } from '../../../../src/protocol/browser.ts';
import { call } from '../../api/client.ts';
import { dashboardQuery, siteQuery } from '../../api/queries.ts';
import { formatIdle } from '../../format/format.ts';
import { useSession } from '../../frame/session.tsx';
import { useUnsaved } from '../../frame/unsaved.tsx';
import { Button } from '../../ui/button.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { SelectField, Switch, TextField } from '../../ui/field.tsx';
import { Panel } from '../../ui/marks.tsx';
import { ErrorNote } from '../../ui/states.tsx';
import { showProblem, showToast } from '../../ui/toast.tsx';
import { useUpdateSite } from './site-actions.ts';
import { typedDomain } from './typed-domain.ts';

function Rename({ site }: { site: SiteView }): JSX.Element {
  const { platform } = useSession();
  const update = useUpdateSite(site);
  const [text, setText] = useState(site.domain);
  const domain = typedDomain(text);
  const problem = domain === site.domain ? undefined : domainProblem(domain, site.account, platform.domain);
  useUnsaved(domain !== site.domain, { what: 'Address' });
  return (
    <Panel title="Address">
      <form
        className="stack narrow"
        onSubmit={(event) => {
          event.preventDefault();
          if (problem === undefined && domain !== site.domain)
            update.mutate({ domain }, { onSuccess: () => showToast(`The site is now at ${domain}.`) });
        }}
      >
        <TextField
          label="Domain"
          value={text}
          onChange={(event) => setText(event.target.value)}
          spellCheck={false}
          autoCapitalize="none"
          problem={problem}
          hint="The old address stops answering when you change it."
        />
        {update.error !== null && <ErrorNote error={update.error} />}
        <div className="row">
          <Button type="submit" disabled={domain === site.domain || problem !== undefined} busy={update.isPending}>
            Change the address
          </Button>
        </div>
      </form>
    </Panel>
  );
}

export function SettingsSection({ site }: { site: SiteView }): JSX.Element {
  const dashboard = useQuery(dashboardQuery);
  const client = useQueryClient();
  const navigate = useNavigate();
  const update = useUpdateSite(site);
  const [deleting, setDeleting] = useState(false);
  const limits = dashboard.data?.account?.name === site.account ? dashboard.data.account.limits : undefined;
  const most = Math.max(limits?.workers ?? site.workers, site.workers);
  return (
    <>
      {site.kind !== 'static' && (
        <Panel title="Running">
          <div className="stack narrow">
            {site.kind === 'wsgi' && (
              <SelectField
                label="Workers"
                value={site.workers}
                onChange={(event) => update.mutate({ workers: Number(event.target.value) }, { onError: showProblem })}
                hint={`Processes that answer at the same time. ${limits === undefined ? '' : `Your plan has up to ${limits.workers}.`}`}
              >
                {Array.from({ length: most }, (_, index) => (
                  <option key={index} value={index + 1}>
                    {index + 1}
                  </option>
                ))}
              </SelectField>
            )}
            <Switch
              label="Stop first"
              hint="A reload stops the running generation before it starts the new one. Only for programs that cannot run twice at once: visitors wait meanwhile."
              checked={site.stopFirst}
              onChange={(stopFirst) => update.mutate({ stopFirst }, { onError: showProblem })}
            />
            {limits !== undefined && (
              <p className="soft small">
                {limits.idleSleepSeconds === 0
                  ? 'Under your plan a site never goes to sleep.'
                  : `After ${formatIdle(limits.idleSleepSeconds)} without a visit the site goes to sleep; the next visit wakes it.`}
              </p>
            )}
          </div>
        </Panel>
      )}
      <Rename key={site.domain} site={site} />
      <Panel title="Delete">
        <div className="row row-between">
          <p className="soft danger-words">
            Takes the site off its address and forgets its settings. Your files, the WSGI file among them, stay.
          </p>
          <Button look="danger" icon="trash" onClick={() => setDeleting(true)}>
            Delete this site
          </Button>
        </div>
      </Panel>
      {deleting && (
        <ConfirmDialog
          title={`Delete ${site.domain}?`}
          action="Delete the site"
          typed={site.domain}
          onClose={() => setDeleting(false)}
          run={async () => {
            await call('sites.delete', { params: { id: site.id } });
            await navigate('/web');
            client.removeQueries({ queryKey: siteQuery(site.id).queryKey });
            void client.invalidateQueries({ queryKey: ['sites'] });
            void client.invalidateQueries({ queryKey: dashboardQuery.queryKey });
            showToast(`${site.domain} is deleted. Its files are still in your home.`);
          }}
        >
          <p>
            Visitors of <strong className="anywhere">{site.domain}</strong> get "no such site" from then on. Settings,
            static mappings, headers and an own certificate are forgotten.
          </p>
          <p className="soft">Your files stay where they are.</p>
        </ConfirmDialog>
      )}
    </>
  );
}
