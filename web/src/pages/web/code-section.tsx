import { useQuery } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import { Link } from 'react-router';
import { accountHome, completeVirtualenv } from '../../../../src/model/paths.ts';
import type { SiteView, UpdateSite } from '../../../../src/protocol/browser.ts';
import { ApiError } from '../../api/client.ts';
import { dashboardQuery } from '../../api/queries.ts';
import { editAddress, filesAddress } from '../../format/paths.ts';
import { Button } from '../../ui/button.tsx';
import { useUnsaved } from '../../frame/unsaved.tsx';
import { AreaField, SelectField, TextField } from '../../ui/field.tsx';
import { Panel } from '../../ui/marks.tsx';
import { ErrorNote, Note } from '../../ui/states.tsx';
import { showToast } from '../../ui/toast.tsx';
import { useUpdateSite } from './site-actions.ts';

type Draft = Pick<SiteView, 'sourceDirectory' | 'workingDirectory' | 'virtualenv' | 'pythonVersion' | 'command'>;
const FIELDS = ['sourceDirectory', 'workingDirectory', 'virtualenv', 'pythonVersion', 'command'] as const;

/** The path that a typed virtualenv stands for. */
function wholeVirtualenv(text: string, account: string): string {
  const value = text.trim();
  if (value === '') return '';
  const whole = completeVirtualenv(value, account);
  return (whole.startsWith('~/') ? `${accountHome(account)}${whole.slice(1)}` : whole).replace(/(.)\/+$/, '$1');
}

export function CodeSection({ site }: { site: SiteView }): JSX.Element {
  const dashboard = useQuery(dashboardQuery);
  const update = useUpdateSite(site);
  const [edited, setEdited] = useState<Partial<Draft>>({});
  const value = (field: keyof Draft): string => edited[field] ?? site[field];
  const set = (field: keyof Draft) => (event: { target: { value: string } }) =>
    setEdited({ ...edited, [field]: event.target.value });

  const patch: UpdateSite = {};
  for (const field of FIELDS) {
    const next = field === 'virtualenv' ? wholeVirtualenv(value(field), site.account) : value(field).trim();
    if (next !== site[field]) patch[field] = next;
  }
  const changed = Object.keys(patch).length > 0;
  const save = async (): Promise<boolean> => {
    try {
      await update.mutateAsync(patch);
      setEdited({});
      showToast('Code settings saved.');
      return true;
    } catch {
      return false; // The form says why, at its field.
    }
  };
  // While it is being saved the page shows the new values already; until the answer they are still only here.
  useUnsaved(changed && site.kind !== 'static', { what: 'Code', save });

  if (site.kind === 'static') {
    return <Note level="info">A static site runs no code. Its directories are under Static files.</Note>;
  }
  const refused = update.error instanceof ApiError ? update.error : undefined;
  const problemOf = (field: keyof Draft): string | undefined =>
    refused?.field === field ? refused.message : undefined;
  const versions = [
    ...new Set([site.pythonVersion, ...(dashboard.data?.account?.pythons.map((python) => python.version) ?? [])]),
  ];

  return (
    <Panel title="Code">
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (changed) void save();
        }}
      >
        <div className="form-grid">
          <TextField
            label="Source directory"
            mono
            spellCheck={false}
            value={value('sourceDirectory')}
            onChange={set('sourceDirectory')}
            problem={problemOf('sourceDirectory')}
            hint={
              site.sourceDirectory === '' ? (
                'Where your project is.'
              ) : (
                <Link to={filesAddress(site.sourceDirectory)}>Show in Files</Link>
              )
            }
          />
          <TextField
            label="Working directory"
            mono
            spellCheck={false}
            value={value('workingDirectory')}
            onChange={set('workingDirectory')}
            problem={problemOf('workingDirectory')}
            hint="Where relative paths in your code begin."
          />
          <TextField
            label="Virtualenv"
            mono
            spellCheck={false}
            placeholder="none: the system's packages"
            value={value('virtualenv')}
            onChange={set('virtualenv')}
            problem={problemOf('virtualenv')}
            hint={
              value('virtualenv').trim() !== '' &&
              wholeVirtualenv(value('virtualenv'), site.account) !== value('virtualenv')
                ? `Means ${wholeVirtualenv(value('virtualenv'), site.account)}`
                : 'A path, or just a name for one in ~/.virtualenvs.'
            }
          />
          <SelectField
            label="Python version"
            value={value('pythonVersion')}
            onChange={set('pythonVersion')}
            problem={problemOf('pythonVersion')}
            hint="Must be the virtualenv's own version when there is one."
          >
            {versions.map((version) => (
              <option key={version} value={version}>
                Python {version}
              </option>
            ))}
          </SelectField>
        </div>
        {site.wsgiFile !== null && (
          <p className="anywhere">
            <span className="group-label">WSGI file</span>
            <br />
            <Link to={editAddress(site.wsgiFile)} className="mono">
              {site.wsgiFile}
            </Link>
            <span className="soft small">
              {' '}
              must define <code>application</code>. Saving it reloads the site.
            </span>
          </p>
        )}
        {site.kind === 'command' && (
          <AreaField
            label="Command"
            mono
            rows={3}
            spellCheck={false}
            value={value('command')}
            onChange={set('command')}
            problem={problemOf('command')}
            hint="Run by bash. It must listen on the Unix socket in $DOMAIN_SOCKET and stay in the foreground."
          />
        )}
        {update.error !== null && refused?.field === undefined && <ErrorNote error={update.error} />}
        <div className="row">
          <Button type="submit" look="main" disabled={!changed} busy={update.isPending}>
            Save
          </Button>
          {changed && (
            <Button look="quiet" onClick={() => setEdited({})}>
              Undo changes
            </Button>
          )}
        </div>
      </form>
    </Panel>
  );
}
