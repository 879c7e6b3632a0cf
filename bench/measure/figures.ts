/** A goal: on the platform's own value, on its ratio to the baseline, or on the difference between them. */
export interface Goal {
  of: 'platform' | 'ratio' | 'difference';
  at: 'most' | 'least';
  value: number;
}

/** One line of the result. */
export interface Figure {
  name: string;
  unit: string;
  platform: number;
  /** The same on the hand-written side, measured in the same run. */
  baseline?: number;
  goal?: Goal;
  /** What it is made of, or how it was taken. */
  note?: string;
}

export interface JudgedFigure extends Figure {
  ratio?: number;
  met?: boolean;
}

/** Adds the ratio and whether the goal is met. A goal that needs a baseline is missed without one. */
export function judge(figure: Figure): JudgedFigure {
  const { platform, baseline, goal } = figure;
  const ratio = baseline === undefined || baseline === 0 ? undefined : platform / baseline;
  const withRatio = ratio === undefined ? figure : { ...figure, ratio };
  if (goal === undefined) return withRatio;
  const value =
    goal.of === 'platform'
      ? platform
      : goal.of === 'ratio'
        ? ratio
        : baseline === undefined
          ? undefined
          : platform - baseline;
  const met = value !== undefined && (goal.at === 'most' ? value <= goal.value : value >= goal.value);
  return { ...withRatio, met };
}

/** A number as people read it: three significant digits, whole from 100 on. */
export function readable(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

function goalText(goal: Goal | undefined, unit: string): string {
  if (goal === undefined) return '';
  const sign = goal.at === 'most' ? '<=' : '>=';
  if (goal.of === 'platform') return `${sign} ${readable(goal.value)}${unit === '' ? '' : ` ${unit}`}`;
  if (goal.of === 'ratio') return `${sign} ${goal.value.toFixed(2)} x`;
  return `${sign} baseline + ${readable(goal.value)} ${unit}`;
}

/** The figures as a table of text. */
export function renderTable(figures: readonly JudgedFigure[]): string {
  const header = ['figure', 'platform', 'baseline', 'ratio', 'goal', ''];
  const rows = figures.map((figure) => {
    const quantity = (value: number): string => `${readable(value)}${figure.unit === '' ? '' : ` ${figure.unit}`}`;
    return [
      figure.name,
      quantity(figure.platform),
      figure.baseline === undefined ? '' : quantity(figure.baseline),
      figure.ratio === undefined ? '' : figure.ratio.toFixed(2),
      goalText(figure.goal, figure.unit),
      figure.met === undefined ? '' : figure.met ? 'met' : 'MISSED',
    ];
  });
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        column === 0 || column > 3 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
