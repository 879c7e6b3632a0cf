import { lookup } from 'node:dns';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { Configuration } from '../../runtime/config.ts';
import { addressProblem, checkWebhookUrl, portOf } from './destination.ts';

/** For one try, from the name's look-up to the last byte of the answer. */
const DEADLINE_MS = 10_000;

/**
 * Sends a message to a webhook. Throws with the reason in plain words; resolves when the receiver took it. Redirects are not followed:
 * they could lead anywhere.
 */
export async function sendWebhook(
  settings: { url: string; secret: string | undefined },
  message: unknown,
  configuration: Pick<Configuration, 'domain' | 'httpPort' | 'httpsPort' | 'version'>,
): Promise<void> {
  const url = checkWebhookUrl(settings.url, configuration);
  const text = JSON.stringify(message);
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const status = await new Promise<number>((resolve, reject) => {
    const sent = send(
      {
        // Named one by one: nothing in the address can become an option, a path of a socket least of all.
        protocol: url.protocol,
        hostname: url.hostname.replace(/^\[|\]$/g, ''),
        port: portOf(url),
        path: `${url.pathname}${url.search}`,
        method: 'POST',
        agent: false,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(text),
          'user-agent': `Holdfast/${configuration.version}`,
          ...(settings.secret === undefined ? {} : { authorization: `Bearer ${settings.secret}` }),
        },
        lookup: guardedLookup(portOf(url), configuration),
        signal: AbortSignal.timeout(DEADLINE_MS),
      },
      (response) => {
        response.on('error', reject);
        response.on('end', () => resolve(response.statusCode ?? 0));
        response.resume();
      },
    );
    sent.on('error', (error) => reject(explained(error)));
    sent.end(text);
  });
  if (status >= 300 && status < 400) {
    throw new Error(`The receiver sent us elsewhere (${status}); that is not followed. Give the final address.`);
  }
  if (status < 200 || status >= 300) throw new Error(`The receiver answered ${status}.`);
}

function explained(error: NodeJS.ErrnoException): Error {
  if (error.name === 'TimeoutError' || error.name === 'AbortError') {
    return new Error(`The receiver did not answer within ${DEADLINE_MS / 1000} seconds.`, { cause: error });
  }
  if (error.code === 'ECONNREFUSED')
    return new Error('Nobody listens at the address of the webhook.', { cause: error });
  if (error.code === 'ENOTFOUND')
    return new Error('The name in the address of the webhook is unknown.', { cause: error });
  return error;
}

/** Looks a name up and refuses what it must not mean: a name can be given any address by whoever owns it. */
function guardedLookup(
  port: number,
  configuration: Pick<Configuration, 'domain' | 'httpPort' | 'httpsPort'>,
): LookupFunction {
  return (hostname, options, answer) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) {
        answer(error, '', 0);
        return;
      }
      const problem = addresses
        .map(({ address }) => addressProblem(address, port, configuration))
        .find((found) => found !== undefined);
      if (problem !== undefined) {
        answer(new Error(problem), '', 0);
        return;
      }
      const first = addresses[0];
      if (options.all === true) answer(null, addresses);
      else if (first && isIP(first.address) !== 0) answer(null, first.address, first.family);
      else answer(new Error(`${hostname} has no address.`), '', 0);
    });
  };
}
