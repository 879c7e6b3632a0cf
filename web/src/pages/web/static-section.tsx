import { type FormEvent, type JSX, useState } from 'react';
import { Link } from 'react-router';
import type { SiteView, UpdateSite } from '../../../../src/protocol/browser.ts';
import { filesAddress } from '../../format/paths.ts';
import { useUnsaved } from '../../frame/unsaved.tsx';
import { Button } from '../../ui/button.tsx';
import { TextField } from '../../ui/field.tsx';
import { Panel } from '../../ui/marks.tsx';
import { ErrorNote } from '../../ui/states.tsx';
import { showProblem, showToast } from '../../ui/toast.tsx';
import { useUpdateSite } from './site-actions.ts';

type FileRow = NonNullable<UpdateSite['staticFiles']>[number];
type HeaderRow = NonNullable<UpdateSite['staticHeaders']>[number];

function slashProblem(value: string, what: string): string | undefined {
  return value === '' || value.startsWith('/') ? undefined : `${what} begins with "/".`;
}

/** Takes a row out at once and offers to put it back. */
function useRowRemoval(site: SiteView): (what: string, without: UpdateSite, before: UpdateSite) => void {
  const update = useUpdateSite(site);
  return (what, without, before) => {
    update.mutate(without, {
      onError: showProblem,
      onSuccess: () =>
        showToast(`${what} removed.`, {
          action: { label: 'Undo', run: () => update.mutate(before, { onError: showProblem }) },
        }),
    });
  };
}

function Mappings({ site }: { site: SiteView }): JSX.Element {
  const update = useUpdateSite(site);
  const remove = useRowRemoval(site);
  const [url, setUrl] = useState('');
  const [path, setPath] = useState('');
  const rows: FileRow[] = site.staticFiles.map((row) => ({ url: row.url, path: row.path }));
  useUnsaved(url !== '' || path !== '', { what: 'Static files', text: 'has a new row that is not added yet.' });
  const urlProblem =
    slashProblem(url, 'An address') ??
    (rows.some((row) => row.url === url) ? 'This address has a directory already.' : undefined);
  const pathProblem = slashProblem(path, 'A path');
  const add = (event: FormEvent): void => {
    event.preventDefault();
    if (url === '' || path === '' || urlProblem !== undefined || pathProblem !== undefined) return;
    update.mutate(
      { staticFiles: [...rows, { url, path }] },
      {
        onSuccess: () => {
          setUrl('');
          setPath('');
        },
      },
    );
  };
  return (
    <Panel flush title="Static files">
      <p className="soft panel-intro">
        Addresses that are answered with files of a directory, without your code. Everything in it is public.
      </p>
      {rows.length > 0 && (
        <div className="table-scroll">
          <table className="table table-cards">
            <thead>
              <tr>
                <th scope="col">Address begins with</th>
                <th scope="col">Directory or file</th>
                <th scope="col">
                  <span className="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {site.staticFiles.map((row, index) => (
                <tr key={row.id}>
                  <td data-label="Address" className="mono anywhere">
                    {row.url}
                  </td>
                  <td data-label="Directory" className="mono anywhere">
                    <Link to={filesAddress(row.path)}>{row.path}</Link>
                  </td>
                  <td className="actions">
                    <Button
                      small
                      look="quiet"
                      icon="trash"
                      onClick={() =>
                        remove(
                          `Static files at ${row.url}`,
                          { staticFiles: rows.toSpliced(index, 1) },
                          { staticFiles: rows },
                        )
                      }
                    >
                      Remove<span className="visually-hidden"> {row.url}</span>
                    </Button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <form className="row-form" onSubmit={add}>
        <TextField
          label="Address"
          mono
          placeholder="/static/"
          value={url}
          onChange={(event) => setUrl(event.target.value)}
          problem={urlProblem}
          required
          spellCheck={false}
        />
        <TextField
          label="Directory or file"
          mono
          placeholder={`${site.sourceDirectory || `/home/${site.account}/mysite`}/static`}
          value={path}
          onChange={(event) => setPath(event.target.value)}
          problem={pathProblem}
          required
          spellCheck={false}
        />
        <Button type="submit" icon="plus" busy={update.isPending}>
          Add
        </Button>
      </form>
      {update.error !== null && (
        <div className="panel-words">
          <ErrorNote error={update.error} />
        </div>
      )}
    </Panel>
  );
}

function Headers({ site }: { site: SiteView }): JSX.Element {
  const update = useUpdateSite(site);
  const remove = useRowRemoval(site);
  const [row, setRow] = useState<HeaderRow>({ url: '', name: '', value: '' });
  const rows: HeaderRow[] = site.staticHeaders.map(({ url, name, value }) => ({ url, name, value }));
  useUnsaved(row.url !== '' || row.name !== '' || row.value !== '', {
    what: 'Headers of static files',
    text: 'has a new row that is not added yet.',
  });
  const urlProblem = slashProblem(row.url, 'An address');
  // RFC 9110, 5.6.2: a header's name is a token.
  const nameProblem =
    row.name === '' || /^[!#$%&'*+.^_`|~\w-]+$/.test(row.name) ? undefined : 'A header name has no spaces or colons.';
  const add = (event: FormEvent): void => {
    event.preventDefault();
    if (urlProblem !== undefined || nameProblem !== undefined) return;
    update.mutate({ staticHeaders: [...rows, row] }, { onSuccess: () => setRow({ url: '', name: '', value: '' }) });
  };
  return (
    <Panel flush title="Headers of static files">
      <p className="soft panel-intro">
        Added to answers of static files whose address begins so; for example how long browsers may keep them.
      </p>
      {rows.length > 0 && (
        <div className="table-scroll">
          <table className="table table-cards">
            <thead>
              <tr>
                <th scope="col">Address begins with</th>
                <th scope="col">Header</th>
                <th scope="col">Value</th>
                <th scope="col">
                  <span className="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {site.staticHeaders.map((header, index) => (
                <tr key={header.id}>
                  <td data-label="Address" className="mono anywhere">
                    {header.url}
                  </td>
                  <td data-label="Header" className="mono anywhere">
                    {header.name}
                  </td>
                  <td data-label="Value" className="mono anywhere">
                    {header.value}
                  </td>
                  <td className="actions">
                    <Button
                      small
                      look="quiet"
                      icon="trash"
                      onClick={() =>
                        remove(
                          `Header ${header.name}`,
                          { staticHeaders: rows.toSpliced(index, 1) },
                          { staticHeaders: rows },
                        )
                      }
                    >
                      Remove<span className="visually-hidden"> {header.name}</span>
                    </Button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <form className="row-form row-form-3" onSubmit={add}>
        <TextField
          label="Address"
          mono
          placeholder="/static/"
          value={row.url}
          onChange={(event) => setRow({ ...row, url: event.target.value })}
          problem={urlProblem}
          required
          spellCheck={false}
        />
        <TextField
          label="Header"
          mono
          placeholder="Cache-Control"
          value={row.name}
          onChange={(event) => setRow({ ...row, name: event.target.value })}
          problem={nameProblem}
          required
          spellCheck={false}
        />
        <TextField
          label="Value"
          mono
          placeholder="max-age=86400"
          value={row.value}
          onChange={(event) => setRow({ ...row, value: event.target.value })}
          required
          spellCheck={false}
        />
        <Button type="submit" icon="plus" busy={update.isPending}>
          Add
        </Button>
      </form>
      {update.error !== null && (
        <div className="panel-words">
          <ErrorNote error={update.error} />
        </div>
      )}
    </Panel>
  );
}

export function StaticSection({ site }: { site: SiteView }): JSX.Element {
  return (
    <>
      <Mappings site={site} />
      <Headers site={site} />
    </>
  );
}
