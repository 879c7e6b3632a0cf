/** One metric in Prometheus' text format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/ */
export interface Metric {
  name: string;
  help: string;
  type: 'gauge' | 'counter';
  samples: { labels?: Record<string, string>; value: number }[];
}

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

function line(name: string, labels: Record<string, string>, value: number): string {
  const text = Object.entries(labels)
    .map(([key, label]) => `${key}="${escaped(label)}"`)
    .join(',');
  return `${name}${text === '' ? '' : `{${text}}`} ${Number.isFinite(value) ? String(value) : 'NaN'}`;
}

/** The text of a scrape. A metric without samples still says that it exists. */
export function exposition(metrics: readonly Metric[]): string {
  const lines = metrics.flatMap(({ name, help, type, samples }) => [
    `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(({ labels, value }) => line(name, labels ?? {}, value)),
  ]);
  return `${lines.join('\n')}\n`;
}

/** A sample for each of the states something can be in: 1 for the one it is in, 0 for the others. */
export function oneOf<S extends string>(
  states: readonly S[],
  current: S,
  labels: Record<string, string>,
  label = 'state',
): Metric['samples'] {
  return states.map((state) => ({ labels: { ...labels, [label]: state }, value: state === current ? 1 : 0 }));
}
