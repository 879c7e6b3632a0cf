import type { JSX, ReactNode } from 'react';
import { chartPath, type ChartPoint } from './chart-path.ts';

const WIDTH = 200;
const HEIGHT = 40;

/** A small curve with its area. The words beside it carry the figures; the picture is hidden from screen readers unless labelled. */
export function Curve(props: {
  points: readonly ChartPoint[];
  from: number;
  to: number;
  /** Top of the scale. */
  max: number;
  tone?: 'plain' | 'warn' | 'bad' | 'second';
  /** x of a vertical mark: the fault of a drill. */
  mark?: number | undefined;
  label?: string;
}): JSX.Element {
  const { points, from, to, max, tone = 'plain', mark, label } = props;
  const { line, area, dots } = chartPath(points, { from, to, max, width: WIDTH, height: HEIGHT });
  const markX = mark === undefined || to <= from ? undefined : ((mark - from) / (to - from)) * WIDTH;
  return (
    <svg
      className={`curve curve-${tone}`}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      {...(label === undefined ? { 'aria-hidden': true } : { role: 'img', 'aria-label': label })}
    >
      <path className="curve-ground" d={`M0 ${HEIGHT - 0.5}H${WIDTH}`} />
      <path className="curve-area" d={area} />
      <path className="curve-line" d={line} />
      {dots.map(([x, y]) => (
        <path key={`${x}-${y}`} className="curve-dot" d={`M${x} ${y}h0.01`} />
      ))}
      {markX !== undefined && markX >= 0 && markX <= WIDTH && (
        <path className="curve-mark" d={`M${markX} 0V${HEIGHT}`} />
      )}
    </svg>
  );
}

/** A name, the figure now, and the curve of the last minutes. */
export function Sparkline(props: {
  name: string;
  now: string;
  points: readonly ChartPoint[];
  from: number;
  to: number;
  max: number;
  tone?: 'plain' | 'warn' | 'bad';
}): JSX.Element {
  return (
    <div className={`spark spark-${props.tone ?? 'plain'}`}>
      <span className="spark-name">{props.name}</span>
      <strong className="spark-now tabular">{props.now}</strong>
      <Curve {...props} />
    </div>
  );
}

/** The words under a chart's two ends. */
export function ChartEnds({ from, to }: { from: ReactNode; to: ReactNode }): JSX.Element {
  return (
    <div className="chart-ends faint tabular" aria-hidden="true">
      <span>{from}</span>
      <span>{to}</span>
    </div>
  );
}
