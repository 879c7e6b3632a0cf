import { STATUS_CODES } from 'node:http';
import type { SiteRemark } from '../../../protocol/sites.ts';
import type { FirstAnswer } from './start-steps.ts';
import { lastTraceback } from './traceback.ts';

const OUTPUT_LINES = 25;
/** What Python says of an ASGI application that is called as a WSGI one: with two arguments instead of three. */
const ASGI_CALL = /^TypeError: .* missing \d+ required positional arguments?: .*'(scope|receive|send)'/;
const ASGI_HINT =
  ' It looks like an ASGI application, and this site is a WSGI one: make it a site with a command (for example uvicorn --uds $DOMAIN_SOCKET main:app, or hypercorn), or wrap the application for WSGI, for example with a2wsgi.';

/**
 * What the owner should know of a program's first answer, or null when it was a good one. `lines` are what it wrote to its error log since
 * it was started, the newest last.
 */
export function remarkOn(first: FirstAnswer, lines: readonly string[]): SiteRemark | null {
  const at = new Date().toISOString();
  const output = lines.slice(-OUTPUT_LINES);
  if ('status' in first) {
    if (first.status < 500) return null;
    const trace = lastTraceback(lines);
    const reason =
      trace === undefined ? '' : `: ${trace.summary}${trace.place === undefined ? '' : ` (${trace.place})`}`;
    const hint = trace !== undefined && ASGI_CALL.test(trace.summary) ? ASGI_HINT : '';
    const name = STATUS_CODES[first.status];
    return {
      kind: 'error',
      message: `It runs, but answered the first request for / with ${first.status}${name === undefined ? '' : ` ${name}`}${reason}. Visitors of this page get the same.${hint}`,
      output,
      at,
    };
  }
  if (first.none === 'broken') {
    const message =
      'It runs, but broke off the connection instead of answering the first request for /. Its logs may say why.';
    return { kind: 'error', message, output, at };
  }
  const seconds = Math.round(first.waitedMs / 1000);
  return {
    kind: 'slow',
    message: `It runs, but had not answered the first request for / after ${seconds} s. Visitors of this page may wait longer; other pages are answered when a worker is free.`,
    output,
    at,
  };
}
