import type { JSX } from 'react';
import { START_STEPS, type StartStep } from '../../../../src/model/sites.ts';
import type { SiteView } from '../../../../src/protocol/browser.ts';
import { formatAgo, formatTime } from '../../format/format.ts';
import { editAddress } from '../../format/paths.ts';
import { LinkButton } from '../../ui/button.tsx';
import { useNow } from '../../ui/hooks.ts';
import { Icon } from '../../ui/icon.tsx';
import { ProgramOutput } from './program-output.tsx';

const STEP_WORDS: Readonly<Record<StartStep, { name: string; meaning: string }>> = {
  storage: { name: 'Storage', meaning: 'Your files are there' },
  sandbox: { name: 'Sandbox', meaning: 'A closed room for the program' },
  interpreter: { name: 'Interpreter', meaning: 'Python starts' },
  import: { name: 'Import', meaning: 'Your code loads' },
  socket: { name: 'Socket', meaning: 'The program listens' },
  answer: { name: 'Answer', meaning: 'It answers a request' },
};

/** Why the last start did not succeed: how far it came, what it said, where to look. */
export function FailurePanel({ site }: { site: SiteView }): JSX.Element | null {
  const now = useNow();
  const failure = site.status?.failure;
  if (failure === null || failure === undefined) return null;
  const failedAt = START_STEPS.indexOf(failure.step);
  return (
    <section className="panel failure" aria-labelledby="failure-title">
      <div className="row row-between">
        <h2 id="failure-title">
          <Icon name="problem" />{' '}
          {site.status?.state === 'failed'
            ? 'The site did not start'
            : 'The last start failed; the site answers with its code from before'}
        </h2>
        <span className="soft small" title={formatTime(failure.at)}>
          {formatAgo(failure.at, now)}
        </span>
      </div>
      <ol className="journey" aria-label="Steps of the start">
        {START_STEPS.map((step, index) => {
          const state = index < failedAt ? 'done' : index === failedAt ? 'failed' : 'waiting';
          return (
            <li key={step} className={`journey-${state}`} aria-current={state === 'failed' ? 'step' : undefined}>
              <span className="journey-mark">
                {state === 'done' ? (
                  <Icon name="check" size={14} />
                ) : state === 'failed' ? (
                  <Icon name="cross" size={14} />
                ) : null}
              </span>
              <span>
                <strong>{STEP_WORDS[step].name}</strong>
                <span className="visually-hidden">
                  {state === 'done' ? ' done' : state === 'failed' ? ' failed' : ' not reached'}
                </span>
                <span className="journey-meaning">{STEP_WORDS[step].meaning}</span>
              </span>
            </li>
          );
        })}
      </ol>
      <p className="failure-message anywhere">{failure.message}</p>
      <ProgramOutput id="failure-output" lines={failure.output} />
      <div className="row">
        {site.wsgiFile !== null && (
          <LinkButton to={editAddress(site.wsgiFile)} icon="pencil">
            Edit the WSGI file
          </LinkButton>
        )}
        <LinkButton to={`/web/${site.id}/logs`} icon="list">
          Logs
        </LinkButton>
        <LinkButton to={`/web/${site.id}/code`} icon="sliders">
          Code settings
        </LinkButton>
      </div>
    </section>
  );
}
