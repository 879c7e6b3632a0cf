import type { JSX, ReactNode } from 'react';
import { useLost } from '../frame/connection.ts';
import { actSentence } from '../health/headline.ts';
import { lossStory } from '../health/loss-words.ts';
import { useNow } from './hooks.ts';
import { Icon, type IconName } from './icon.tsx';

export type VerdictTone = 'good' | 'busy' | 'warn' | 'bad';

const MARKS: Readonly<Record<VerdictTone, IconName>> = {
  good: 'check',
  busy: 'reload',
  warn: 'warning',
  bad: 'problem',
};

/** Whether a person must act: in words, with a shape, in a colour. Without a connection nobody is told that there is nothing to do. */
export function ActLine({ acts }: { acts: readonly string[] }): JSX.Element {
  const loss = useLost();
  const now = useNow();
  const lostAt = loss?.since ?? null;
  const must = acts.length > 0;
  const look = must ? 'act-must' : lostAt === null ? 'act-nothing' : 'act-unseen';
  return (
    <div className={`act ${look}`}>
      <Icon name={must ? 'hand' : lostAt === null ? 'check' : 'info'} size={18} />
      <div className="stack-s">
        <strong>{actSentence(acts, lostAt === null)}</strong>
        {acts.length === 1 && <p className="anywhere">{acts[0]}</p>}
        {acts.length > 1 && (
          <ol className="act-list">
            {acts.map((act) => (
              <li key={act} className="anywhere">
                {act}
              </li>
            ))}
          </ol>
        )}
        {loss !== null && <p className="anywhere">{lossStory(loss, now)}</p>}
      </div>
    </div>
  );
}

/** The first thing on a page: how it is, and whether a person must act. */
export function Verdict(props: {
  tone: VerdictTone;
  title: string;
  acts: readonly string[];
  /** True for what is over: nobody is asked anything. */
  over?: boolean;
  children?: ReactNode;
}): JSX.Element {
  return (
    <section className={`verdict verdict-${props.tone}`} aria-label="In one sentence">
      <span className="verdict-mark">
        <Icon name={MARKS[props.tone]} size={22} />
      </span>
      <div className="verdict-words">
        <div role="status">
          <h2 className="anywhere">{props.title}</h2>
        </div>
        {props.over !== true && <ActLine acts={props.acts} />}
        {props.children}
      </div>
    </section>
  );
}
