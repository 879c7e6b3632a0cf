import { type JSX, type ReactNode, useState } from 'react';
import { ApiError } from '../api/client.ts';
import { Button } from './button.tsx';
import { Icon, type IconName } from './icon.tsx';

/** The sentence of any thrown thing. */
export function messageOf(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  if (error instanceof Error) return `Something went wrong in this page: ${error.message}`;
  return 'Something went wrong in this page. Load it again.';
}

function Details({ error }: { error: unknown }): JSX.Element | null {
  if (!(error instanceof ApiError) || error.details.length === 0) return null;
  return (
    <pre className="output" tabIndex={0} aria-label="In detail">
      {error.details.join('\n')}
    </pre>
  );
}

/** What went wrong with something just tried, in place. */
export function ErrorNote({ error, children }: { error: unknown; children?: ReactNode }): JSX.Element {
  return (
    <div className="note note-problem" role="alert">
      <Icon name="problem" />
      <div className="stack-s">
        <p className="anywhere">{messageOf(error)}</p>
        <Details error={error} />
        {children}
      </div>
    </div>
  );
}

/** A whole view that could not be fetched: what happened, what to do, retry. */
export function ErrorPanel(props: {
  what: string;
  error: unknown;
  /** What it means, where the error's own words do not say. */
  text?: string;
  retry?: () => void;
  /** 1 where it stands for a whole page, which has no other heading. */
  level?: 1 | 2;
  children?: ReactNode;
}): JSX.Element {
  const { error } = props;
  const Heading = props.level === 1 ? 'h1' : 'h2';
  const wait = error instanceof ApiError ? error.retryAfterSeconds : undefined;
  return (
    <section className="panel state-panel" role="alert">
      <span className="state-mark state-mark-problem">
        <Icon name="problem" size={22} />
      </span>
      <Heading>{props.what}</Heading>
      <p className="soft anywhere">{messageOf(error)}</p>
      {props.text !== undefined && <p className="soft">{props.text}</p>}
      {wait !== undefined && <p className="faint small">Worth trying again in about {wait} s.</p>}
      <Details error={error} />
      <div className="row">
        {props.retry !== undefined && (
          <Button look="main" icon="reload" onClick={props.retry}>
            Try again
          </Button>
        )}
        {props.children}
      </div>
    </section>
  );
}

/** Nothing here yet, and what to do next. */
export function Empty(props: {
  icon: IconName;
  title: string;
  children: ReactNode;
  actions?: ReactNode;
  /** 1 where it stands for a whole page, which has no other heading. */
  level?: 1 | 2;
}): JSX.Element {
  const Heading = props.level === 1 ? 'h1' : 'h2';
  return (
    <div className="state-panel">
      <span className="state-mark">
        <Icon name={props.icon} size={22} />
      </span>
      <Heading>{props.title}</Heading>
      <p className="soft">{props.children}</p>
      {props.actions !== undefined && <div className="row">{props.actions}</div>}
    </div>
  );
}

/** Grey bars where the content will be. */
export function Skeleton({ lines = 4, label = 'Loading' }: { lines?: number; label?: string }): JSX.Element {
  return (
    <div className="skeleton" role="status">
      <span className="visually-hidden">{label}</span>
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} className={`skeleton-line skeleton-line-${index % 3}`} />
      ))}
    </div>
  );
}

export type NoticeLevel = 'info' | 'warning' | 'problem';

export function Note({ level, children }: { level: NoticeLevel; children: ReactNode }): JSX.Element {
  return (
    <div className={`note note-${level}`}>
      <Icon name={level} />
      <div className="anywhere">
        {level !== 'info' && <span className="visually-hidden">{level === 'warning' ? 'Warning: ' : 'Problem: '}</span>}
        {children}
      </div>
    </div>
  );
}

/** How many notices are shown before the rest is asked for. */
const NOTICES = 3;

/** Worst first. */
export function Notices({
  notices,
}: {
  notices: ReadonlyArray<{ level: NoticeLevel; text: string }>;
}): JSX.Element | null {
  const [all, setAll] = useState(false);
  if (notices.length === 0) return null;
  const weight = { problem: 0, warning: 1, info: 2 };
  const sorted = notices.toSorted((a, b) => weight[a.level] - weight[b.level]);
  const hidden = sorted.length - NOTICES;
  return (
    <div className="stack-s">
      <ul className="stack-s" aria-label="Notices">
        {(all ? sorted : sorted.slice(0, NOTICES)).map((notice, index) => (
          <li key={`${index}-${notice.text}`}>
            <Note level={notice.level}>{notice.text}</Note>
          </li>
        ))}
      </ul>
      {hidden > 0 && (
        <div>
          <Button look="link" aria-expanded={all} onClick={() => setAll(!all)}>
            {all ? 'Show fewer' : `Show ${hidden} more`}
          </Button>
        </div>
      )}
    </div>
  );
}
