import { runCommand } from '../../src/runtime/command.ts';

/** What wrk says of one run. Times in milliseconds. */
export interface WrkResult {
  requestsPerSecond: number;
  requests: number;
  p50: number;
  p90: number;
  p99: number;
  worst: number;
  /** Connections that could not be made, broke, or timed out. */
  socketErrors: number;
  /** Answers other than 2xx and 3xx. */
  badAnswers: number;
}

const UNITS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** wrk's own notation of a time (units.c): "812.00us", "1.23ms", "2.00s", "1.50m". */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(us|ms|s|m|h)$/.exec(text);
  const unit = UNITS[match?.[2] ?? ''];
  if (match?.[1] === undefined || unit === undefined) throw new Error(`wrk wrote a time that is none: "${text}"`);
  return Number(match[1]) * unit;
}

/** Reads the report of `wrk --latency`. Throws when a figure is missing, with the report. */
export function parseWrk(report: string): WrkResult {
  const need = (expression: RegExp, what: string): string => {
    const found = expression.exec(report)?.[1];
    if (found === undefined) throw new Error(`wrk's report has no ${what}:\n${report}`);
    return found;
  };
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(report);
  return {
    requestsPerSecond: Number(need(/^Requests\/sec:\s+([\d.]+)/m, 'throughput')),
    requests: Number(need(/^\s*(\d+) requests in /m, 'count')),
    p50: parseDuration(need(/^\s+50%\s+(\S+)$/m, 'median')),
    p90: parseDuration(need(/^\s+90%\s+(\S+)$/m, '90th percentile')),
    p99: parseDuration(need(/^\s+99%\s+(\S+)$/m, '99th percentile')),
    worst: parseDuration(need(/^\s+Latency\s+\S+\s+\S+\s+(\S+)/m, 'worst latency')),
    socketErrors: errors === null ? 0 : errors.slice(1).reduce((total, count) => total + Number(count), 0),
    badAnswers: Number(/Non-2xx or 3xx responses: (\d+)/.exec(report)?.[1] ?? 0),
  };
}

export interface WrkOptions {
  url: string;
  host: string;
  connections: number;
  seconds: number;
}

/** One run with keep-alive connections from one thread: the generator shares the machine's cores with what it measures. */
export async function runWrk(options: WrkOptions): Promise<WrkResult> {
  const result = await runCommand(
    'wrk',
    [
      '--threads',
      '1',
      '--connections',
      String(options.connections),
      '--duration',
      `${options.seconds}s`,
      '--timeout',
      '10s',
      '--latency',
      '--header',
      `Host: ${options.host}`,
      options.url,
    ],
    { deadlineMs: (options.seconds + 30) * 1000 },
  );
  if (result.code !== 0)
    throw new Error(`wrk failed (${result.code ?? result.signal}): ${result.stderr}${result.stdout}`);
  return parseWrk(result.stdout);
}
