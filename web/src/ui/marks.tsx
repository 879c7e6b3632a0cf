import type { JSX, ReactNode } from 'react';
import { formatBytes, formatShare, fullness, roomLeft } from '../format/format.ts';
import { useLostAt } from '../frame/connection.ts';
import type { Tone } from './tone.ts';
import { siteStateOf, type StateOfSite } from '../health/site-state.ts';

function Shape({ tone }: { tone: Tone }): JSX.Element {
  return (
    <svg className={`shape shape-${tone}`} width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">
      {tone === 'good' && <circle cx="6" cy="6" r="4.5" />}
      {tone === 'quiet' && <circle className="shape-line" cx="6" cy="6" r="4" />}
      {tone === 'busy' && <path className="shape-line shape-turn" d="M6 1.500a4.500 4.500 0 1 1-4.500 4.500" />}
      {tone === 'warn' && <path d="M6 .800 11.500 10.700H.500Z" />}
      {tone === 'bad' && <path d="M6 .300 11.700 6 6 11.700.300 6Z" />}
      {tone === 'off' && <path className="shape-line" d="M2 2h8v8H2ZM2 10 10 2" />}
    </svg>
  );
}

export function Badge({ tone, children }: { tone: Tone; children: ReactNode }): JSX.Element {
  return (
    <span className={`badge badge-${tone}`}>
      <Shape tone={tone} />
      {children}
    </span>
  );
}

export function SiteBadge({ site }: { site: StateOfSite }): JSX.Element {
  const { tone, word } = siteStateOf(site, useLostAt() !== null);
  return <Badge tone={tone}>{word}</Badge>;
}

/** A bar from 0 to 1; the words beside it carry the figure. */
export function Bar({
  share,
  tone,
  label,
}: {
  share: number | null;
  tone: 'fine' | 'low' | 'full' | 'busy';
  label: string;
}): JSX.Element {
  const percent = share === null ? undefined : Math.round(Math.min(1, Math.max(0, share)) * 100);
  return (
    <div
      className={`bar bar-${tone}${share === null ? ' bar-unknown' : ''}`}
      role={tone === 'busy' ? 'progressbar' : 'meter'}
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
    >
      <span className="bar-fill" style={{ width: `${percent ?? 30}%` }} />
    </div>
  );
}

/** "1.2 GiB of 2 GiB", with its bar; the words turn red when it gets low. */
export function SpaceMeter({
  usedBytes,
  limitBytes,
  freeBytes,
  label,
}: {
  usedBytes: number;
  limitBytes: number;
  /** What can still be written, where that is less than what is not used. */
  freeBytes?: number | undefined;
  label: string;
}): JSX.Element {
  const { left, room } = roomLeft(usedBytes, limitBytes, freeBytes);
  const grade = fullness(usedBytes, room);
  return (
    <div className="meter">
      <p className={`meter-words tabular meter-${grade}`}>
        <span>
          <strong>{formatBytes(usedBytes)}</strong> of {formatBytes(limitBytes)}
        </span>
        <span>
          {grade === 'fine'
            ? formatShare(usedBytes, room)
            : grade === 'full'
              ? 'Full'
              : `Low: ${formatBytes(left)} left`}
        </span>
      </p>
      <Bar share={room > 0 ? usedBytes / room : 0} tone={grade} label={label} />
    </div>
  );
}

/** A name and a value, in rows. */
export function Facts({ rows }: { rows: ReadonlyArray<readonly [string, ReactNode]> }): JSX.Element {
  return (
    <dl className="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Panel(props: {
  title?: ReactNode;
  aside?: ReactNode;
  id?: string;
  flush?: boolean;
  children: ReactNode;
}): JSX.Element {
  return (
    <section className={props.flush === true ? 'panel panel-flush' : 'panel'} id={props.id}>
      {props.title !== undefined && (
        <header className="panel-head">
          <h2>{props.title}</h2>
          {props.aside !== undefined && <div className="row">{props.aside}</div>}
        </header>
      )}
      {props.children}
    </section>
  );
}
