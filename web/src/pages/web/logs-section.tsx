import { useQuery } from '@tanstack/react-query';
import { type JSX, useLayoutEffect, useRef, useState } from 'react';
import type { SiteView } from '../../../../src/protocol/browser.ts';
import { type LogKind, logQuery } from '../../api/queries.ts';
import { formatBytes } from '../../format/format.ts';
import { editAddress } from '../../format/paths.ts';
import { useSession } from '../../frame/session.tsx';
import { Button, LinkButton } from '../../ui/button.tsx';
import { ErrorPanel, Skeleton } from '../../ui/states.tsx';
import { logPath } from './site-edits.ts';

const KINDS: ReadonlyArray<{ kind: LogKind; label: string; empty: string }> = [
  {
    kind: 'error',
    label: 'Error',
    empty: 'No error has been written. Tracebacks and what your code writes to stderr come here.',
  },
  { kind: 'access', label: 'Access', empty: 'No visit has been written yet. Open the site once.' },
  {
    kind: 'server',
    label: 'Server',
    empty: "Nothing yet. The server's own messages and what your code prints come here.",
  },
];

/** What of a log line to set apart. */
export function toneOfLine(line: string): 'bad' | 'soft' | undefined {
  if (/(?:Error|Exception)\b|\b(?:Traceback|HARAKIRI|CRITICAL)\b|" 5\d\d /.test(line)) return 'bad';
  if (/^\s*(?:\*\*\*|#)/.test(line)) return 'soft';
  return undefined;
}

export function LogsSection({ site }: { site: SiteView }): JSX.Element {
  const { account } = useSession();
  const [kind, setKind] = useState<LogKind>('error');
  const [lines, setLines] = useState(200);
  const [live, setLive] = useState(true);
  const [wrap, setWrap] = useState(true);
  const [filter, setFilter] = useState('');
  const log = useQuery({ ...logQuery(site.id, kind, lines), refetchInterval: live ? 3000 : false, staleTime: 0 });
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const needle = filter.trim().toLowerCase();
  const shown = (log.data?.lines ?? []).filter((line) => needle === '' || line.toLowerCase().includes(needle));
  const last = log.data?.lines.at(-1);

  // New lines pull the view along only when it was at the end: somebody reading further up is left alone.
  useLayoutEffect(() => {
    if (atEnd.current && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
    // oxlint-disable-next-line react/exhaustive-effect-dependencies -- whatever changes the lines' height
  }, [log.dataUpdatedAt, last, kind, needle, wrap]);

  return (
    <section className="panel panel-flush" aria-label="Logs">
      <div className="log-bar">
        <div className="segments" role="group" aria-label="Which log">
          {KINDS.map((option) => (
            <button
              key={option.kind}
              type="button"
              aria-pressed={kind === option.kind}
              onClick={() => {
                atEnd.current = true;
                setKind(option.kind);
              }}
            >
              {option.label}
            </button>
          ))}
        </div>
        <input
          className="input log-filter"
          type="search"
          aria-label="Show only lines that contain"
          placeholder="Only lines with ..."
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
        />
        <div className="row">
          <select
            className="input log-lines"
            aria-label="How many lines"
            value={lines}
            onChange={(event) => setLines(Number(event.target.value))}
          >
            <option value={200}>200 lines</option>
            <option value={1000}>1000 lines</option>
            <option value={2000}>2000 lines</option>
          </select>
          <Button small icon="wrap" aria-pressed={wrap} onClick={() => setWrap(!wrap)}>
            Wrap
          </Button>
          <Button
            small
            icon="reload"
            aria-pressed={live}
            onClick={() => setLive(!live)}
            title={live ? 'Refreshed every 3 seconds' : 'Standing still'}
          >
            Live
          </Button>
        </div>
      </div>
      {log.data === undefined ? (
        log.error === null ? (
          <div className="panel-words">
            <Skeleton lines={8} label="Loading the log" />
          </div>
        ) : (
          <ErrorPanel what="The log could not be read" error={log.error} retry={() => void log.refetch()} />
        )
      ) : (
        <div
          ref={box}
          className={wrap ? 'log log-wrap' : 'log'}
          tabIndex={0}
          role="log"
          aria-live="off"
          aria-label={`${kind} log of ${site.domain}`}
          onScroll={(event) => {
            const element = event.currentTarget;
            atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 24;
          }}
        >
          {shown.length === 0 ? (
            <p className="soft log-empty">
              {log.data.lines.length === 0
                ? KINDS.find((option) => option.kind === kind)?.empty
                : 'No line of these contains that.'}
            </p>
          ) : (
            shown.map((line, index) => (
              <div key={`${index}-${line.length}`} className={`log-line log-line-${toneOfLine(line) ?? 'plain'}`}>
                {line === '' ? '\u00a0' : line}
              </div>
            ))
          )}
        </div>
      )}
      <div className="log-foot small soft">
        <span className="tabular">
          {log.data !== undefined &&
            `${shown.length} lines shown, ${formatBytes(log.data.sizeBytes)} in all. Times are UTC.`}
          {log.error !== null && log.data !== undefined && ' The last refresh failed; trying again.'}
        </span>
        {site.account === account.name && (
          <LinkButton to={editAddress(logPath(site.domain, kind))} small look="quiet" icon="file">
            The whole file
          </LinkButton>
        )}
      </div>
    </section>
  );
}
