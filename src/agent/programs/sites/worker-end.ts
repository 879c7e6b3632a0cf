import { constants } from 'node:os';

/** How a worker of a WSGI site ended, as far as its server says so. */
export type WorkerEnd = { signal: string } | { code: number };

/** What a compiled module that goes wrong ends with; Python code by itself never does. */
const CRASHES = new Set(['SIGSEGV', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGABRT']);

/** The last end of a worker in a server log. uWSGI tells signals and no codes; gunicorn has told both in several ways. */
export function lastWorkerEnd(lines: readonly string[]): WorkerEnd | undefined {
  for (const line of lines.toReversed()) {
    // uWSGI takes these two itself, and then ends its worker without a signal.
    const fault = line.match(/!!! uWSGI process \d+ got (Segmentation Fault|Floating Point Exception) !!!/)?.[1];
    if (fault !== undefined) return { signal: fault.startsWith('S') ? 'SIGSEGV' : 'SIGFPE' };
    const number =
      line.match(/DAMN ! worker \d+ \(pid: \d+\) .*killed by signal (\d+)/)?.[1] ??
      line.match(/Worker (?:with pid |\(pid:)\d+\)? was terminated due to signal (\d+)/)?.[1];
    if (number !== undefined) return { signal: nameOf(Number(number)) };
    const name = line.match(/Worker \(pid:\d+\) was sent (SIG[A-Z0-9]+)!/)?.[1];
    if (name !== undefined) return { signal: name };
    const code = line.match(/Worker \(pid:\d+\) exited with code (\d+)/)?.[1];
    if (code !== undefined) return { code: Number(code) };
    // The codes that make a server end, too: each names its own in words. The server's code may be another.
    if (/OOPS ! failed loading app in worker \d+/.test(line)) return { code: 22 };
    if (line.includes('Worker failed to boot.')) return { code: 3 };
  }
  return undefined;
}

/** The sentences for its owner: it ended in the midst of the import, and nothing was raised that could be shown. */
export function endedInImport(end: WorkerEnd | undefined): string {
  const crash = end !== undefined && 'signal' in end && CRASHES.has(end.signal);
  const how = end === undefined ? '' : 'code' in end ? ` (exit code ${end.code})` : ` (${end.signal})`;
  const advice = crash
    ? 'That is a crash in compiled code, such as a C extension of a package: check what it imports, and whether it was built for this Python.'
    : 'Look for what ends it, for example os._exit(); its logs have what it wrote before.';
  return `The process ended while it imported the WSGI file${how}. ${advice}`;
}

function nameOf(signal: number): string {
  return Object.entries(constants.signals).find(([, number]) => number === signal)?.[0] ?? `signal ${signal}`;
}
