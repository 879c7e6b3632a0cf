import type { JSX } from 'react';
import type { SiteView } from '../../../../src/protocol/browser.ts';
import { formatAgo, formatClock, formatTime } from '../../format/format.ts';
import { editAddress } from '../../format/paths.ts';
import { Button, LinkButton } from '../../ui/button.tsx';
import { useNow } from '../../ui/hooks.ts';
import { Icon } from '../../ui/icon.tsx';
import { ProgramOutput } from './program-output.tsx';
import { useSiteAction } from './site-actions.ts';

/** What the platform noticed of a program that runs: its first answer was an error, or slow. Offers the way back while there is one. */
export function RemarkPanel({ site }: { site: SiteView }): JSX.Element | null {
  const now = useNow();
  const back = useSiteAction(site);
  const { remark, kept } = site.status ?? { remark: null, kept: null };
  if (remark === null) return null;
  const error = remark.kind === 'error';
  return (
    <section className={error ? 'panel failure' : 'panel'} aria-labelledby="remark-title">
      <div className="row row-between">
        <h2 id="remark-title">
          <Icon name={error ? 'problem' : 'info'} />{' '}
          {error ? 'The new code runs, but answered with an error' : 'The new code runs, but its first page is slow'}
        </h2>
        <span className="soft small" title={formatTime(remark.at)}>
          {formatAgo(remark.at, now)}
        </span>
      </div>
      <p className="failure-message anywhere">{remark.message}</p>
      <ProgramOutput id="remark-output" lines={remark.output} />
      {kept !== null && (
        <p>
          What answered well last still runs, unseen, until {formatClock(kept.until, now)}. Going back changes no files:
          the next reload starts the code that is there then.
        </p>
      )}
      <div className="row">
        {kept !== null && (
          <Button look="main" icon="reload" busy={back.isPending} onClick={() => back.mutate('back')}>
            Go back to what ran before
          </Button>
        )}
        {site.wsgiFile !== null && (
          <LinkButton to={editAddress(site.wsgiFile)} icon="pencil">
            Edit the WSGI file
          </LinkButton>
        )}
        <LinkButton to={`/web/${site.id}/logs`} icon="list">
          Logs
        </LinkButton>
      </div>
    </section>
  );
}
