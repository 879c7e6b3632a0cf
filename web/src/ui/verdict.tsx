import type { JSX, ReactNode } from 'react';
import { actSentence } from '../health/headline.ts';
import { Icon, type IconName } from './icon.tsx';

export type VerdictTone = 'good' | 'busy' | 'warn' | 'bad';

const MARKS: Readonly<Record<VerdictTone, IconName>> = {
  good: 'check',
  busy: 'reload',
  warn: 'warning',
  bad: 'problem',
};

/** Whether a person must act: in words, with a shape, in a colour. */
export function ActLine({ acts }: { acts: readonly string[] }): JSX.Element {
  const must = acts.length > 0;
  return (
    <div className={`act ${must ? 'act-must' : 'act-nothing'}`}>
      <Icon name={must ? 'hand' : 'check'} size={18} />
      <div className="stack-s">
        <strong>{actSentence(acts)}</strong>
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
        <h2 role="status" className="anywhere">
          {props.title}
        </h2>
        {props.over !== true && <ActLine acts={props.acts} />}
        {props.children}
      </div>
    </section>
  );
}
