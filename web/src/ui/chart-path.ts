/** x (any unit, growing) and y; null: nothing was measured, the line has a gap there. */
export type ChartPoint = readonly [x: number, y: number | null];

export interface ChartFrame {
  from: number;
  to: number;
  max: number;
  width: number;
  height: number;
}

const round = (value: number): number => Math.round(value * 100) / 100;

/** The line, the area below it, and single points without neighbours. Never leaves the frame; what is above `max` lies on its edge. */
export function chartPath(
  points: readonly ChartPoint[],
  { from, to, max, width, height }: ChartFrame,
): { line: string; area: string; dots: Array<readonly [number, number]> } {
  const runs: Array<Array<readonly [number, number]>> = [[]];
  const span = to - from;
  for (const [x, y] of span > 0 ? points : []) {
    if (x < from || x > to) continue;
    if (y === null || !Number.isFinite(y)) {
      if (runs.at(-1)?.length !== 0) runs.push([]);
      continue;
    }
    const share = max > 0 ? Math.min(1, Math.max(0, y / max)) : 0;
    // One unit of room above and below for the width of the stroke.
    runs.at(-1)?.push([round(((x - from) / span) * width), round(height - 1 - share * (height - 2))]);
  }
  const lines = runs.filter((run) => run.length > 1);
  const path = (run: ReadonlyArray<readonly [number, number]>): string => run.map(([x, y]) => `${x} ${y}`).join('L');
  return {
    line: lines.map((run) => `M${path(run)}`).join(''),
    area: lines.map((run) => `M${run[0]?.[0] ?? 0} ${height}L${path(run)}L${run.at(-1)?.[0] ?? 0} ${height}Z`).join(''),
    dots: runs.flatMap((run) => (run.length === 1 ? run : [])),
  };
}

/** A round top for a scale, so that it does not move with every point: 1, 2 or 5 times a power of ten, at least `least`. */
export function niceMax(values: ReadonlyArray<number | null>, least: number): number {
  let most = least;
  for (const value of values) if (value !== null && Number.isFinite(value) && value > most) most = value;
  if (!(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  for (const step of [1, 2, 5, 10]) if (step * power >= most) return step * power;
  return most;
}
