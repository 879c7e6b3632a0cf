import type { JSX } from 'react';
import type { DiskHealth } from '../../../../../src/protocol/health.ts';
import type { Replica } from '../../../../../src/protocol/volumes.ts';
import { HEALTH_WINDOW_MS, useHealthHistory } from '../../../api/history.ts';
import { formatBytes, formatMilliseconds } from '../../../format/format.ts';
import { diskNow, SHOWN, type ShownState } from '../../../health/disk-state.ts';
import { Button } from '../../../ui/button.tsx';
import { niceMax } from '../../../ui/chart-path.ts';
import { Sparkline } from '../../../ui/charts.tsx';
import { Badge } from '../../../ui/marks.tsx';
import { DiskPicture } from '../../../ui/replicas.tsx';

/** What btrfs counted against a disk, in words; undefined when there is nothing. */
export function errorsOf(replica: Pick<Replica, 'errors'>): string | undefined {
  if (replica.errors === null) return undefined;
  const { write, read, flush, corruption, generation } = replica.errors;
  const words: Array<readonly [number, string]> = [
    [write, 'failed writes'],
    [read, 'failed reads'],
    [flush, 'failed flushes'],
    [corruption, 'blocks with wrong data'],
    [generation, 'blocks too old'],
  ];
  const found = words
    .filter(([amount]) => amount > 0)
    .map(([amount, word]) => `${amount.toLocaleString('en-GB')} ${word}`);
  return found.length === 0 ? undefined : found.join(', ');
}

function Sparklines({ disk, health }: { disk: string; health: DiskHealth }): JSX.Element {
  const samples = useHealthHistory()[disk] ?? [];
  const to = samples.at(-1)?.at ?? 0;
  const from = to - HEALTH_WINDOW_MS;
  const waiting = samples.map(({ at, inFlight }) => [at, inFlight] as const);
  const latency = samples.map(({ at, latencyMs }) => [at, latencyMs] as const);
  const bytes = samples.map(({ at, bytesPerSecond }) => [at, bytesPerSecond] as const);
  const tone = health.condition === 'hung' ? 'bad' : health.condition === 'slow' ? 'warn' : 'plain';
  const most = (points: ReadonlyArray<readonly [number, number | null]>, least: number): number =>
    niceMax(points.map(([, y]) => y), least); // prettier-ignore
  return (
    <div className="sparks">
      <Sparkline
        name="In it now"
        now={String(health.inFlight)}
        points={waiting}
        from={from}
        to={to}
        max={most(waiting, 8)}
        tone={health.condition === 'hung' ? 'bad' : 'plain'}
      />
      <Sparkline
        name="Answers in"
        now={
          health.condition === 'hung'
            ? 'never'
            : health.latencyMs === null
              ? 'idle'
              : formatMilliseconds(health.latencyMs)
        }
        points={latency}
        from={from}
        to={to}
        max={most(latency, 5)}
        tone={tone}
      />
      <Sparkline
        name="Moves"
        now={`${formatBytes(health.readBytesPerSecond + health.writtenBytesPerSecond)}/s`}
        points={bytes}
        from={from}
        to={to}
        max={most(bytes, 1_000_000)}
      />
    </div>
  );
}

/** One replica: its disk as a picture, how it is in words, what it does now and did over the last minutes. */
export function DiskTile(props: {
  volume: string;
  replica: Replica;
  health: DiskHealth | undefined;
  state: ShownState;
  /** Of the rebuild onto it, 0 to 1. */
  share: number | null;
  /** Why it is out, when an open incident says so. */
  story: string | undefined;
  last: boolean;
  onSetAside: (() => void) | undefined;
}): JSX.Element {
  const { volume, replica, health, state, share, story, last, onSetAside } = props;
  const { tone, word, meaning } = SHOWN[state];
  const errors = errorsOf(replica);
  const takesPart = replica.state === 'healthy' || replica.state === 'rebuilding';
  return (
    <div className={`tile tile-${tone}`}>
      <div className="tile-head">
        <DiskPicture id={`${volume}-${replica.id}`} state={state} share={share} />
        <div className="tile-name">
          <p className="row">
            <strong>{replica.id}</strong>
            <Badge tone={tone}>
              {word}
              {state === 'rebuilding' && share !== null && (
                <span className="tabular"> {Math.floor(share * 100)} %</span>
              )}
            </Badge>
          </p>
          <code className="small">{replica.disk}</code>
          <p className="faint small">
            {formatBytes(replica.sizeBytes)}
            {replica.valve && ', an image file'}
          </p>
        </div>
        {onSetAside !== undefined && takesPart && (
          <Button
            small
            look="quiet"
            disabled={last}
            title={
              last
                ? 'No other complete copy answers: the volume would be out of service'
                : 'Takes it out of the mirror; the volume goes on with the other'
            }
            onClick={onSetAside}
          >
            Set aside<span className="visually-hidden"> {replica.id}</span>
          </Button>
        )}
      </div>
      <p className={`small ${tone === 'bad' || tone === 'warn' ? `tone-${tone}` : 'soft'}`}>
        {takesPart
          ? tone === 'good' || tone === 'busy'
            ? diskNow(health)
            : `${meaning} ${health === undefined ? '' : diskNow(health)}`
          : (story ?? meaning)}
      </p>
      {errors !== undefined && <p className="small tone-bad">{errors}.</p>}
      {takesPart && health !== undefined && <Sparklines disk={replica.disk} health={health} />}
    </div>
  );
}
