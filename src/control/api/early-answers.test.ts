import { fastify, type FastifyInstance } from 'fastify';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { within } from '../../runtime/deadline.ts';
import { registerEarlyAnswers } from './early-answers.ts';

const BODY = 4 * 1024 * 1024;

let directory: string;
let server: FastifyInstance;
let socketPath: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-early-'));
  socketPath = join(directory, 's');
});
afterEach(async () => {
  await server.close();
  await rm(directory, { recursive: true, force: true });
});

async function serve(drainMs?: number): Promise<void> {
  server = fastify({ bodyLimit: 1024, forceCloseConnections: true });
  registerEarlyAnswers(server, drainMs);
  server.addHook('onRequest', async (request, reply) => {
    if (request.url === '/refused') await reply.code(401).send('refused');
  });
  server.post('/*', () => 'read');
  await server.listen({ path: socketPath });
}

interface Sent {
  answer: string;
  /** How the connection broke while the rest was sent; undefined when everything was taken. */
  broken: string | undefined;
}

/** Sends the head, waits for the answer, and only then sends the body, as far as the server takes it. */
async function sendLate(path: string, headers: string, bytes: number): Promise<Sent> {
  const socket = connect(socketPath);
  const answer: Buffer[] = [];
  let broken: string | undefined;
  socket.on('data', (chunk: Buffer) => answer.push(chunk));
  socket.on('error', (error: NodeJS.ErrnoException) => (broken = error.code));
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${BODY}\r\n${headers}\r\n`);
  await within(10_000, 'the answer', new Promise((resolve) => socket.once('data', resolve)));
  const taken = new Promise<void>((resolve) => socket.write(Buffer.alloc(bytes), () => resolve()));
  await within(20_000, 'the rest', Promise.race([taken, closed]));
  if (bytes === BODY) socket.destroy();
  await within(20_000, 'the end', closed);
  return { answer: Buffer.concat(answer).toString('utf8'), broken };
}

describe('an answer before the body was read', () => {
  it.each([
    ['of a hook, to a client that wants no second request', '/refused', 'Connection: close\r\n', '401'],
    ['of a hook, to a client that stays', '/refused', '', '401'],
    ['to a body that is too large', '/large', 'Content-Type: text/plain\r\n', '413'],
    ['to a body of an unknown type', '/type', 'Content-Type: image/x-unknown\r\nConnection: close\r\n', '41'],
  ])('leaves the connection open for the rest: %s', async (_case, path, headers, status) => {
    await serve();
    const sent = await sendLate(path, headers, BODY);
    expect(sent.answer).toMatch(new RegExp(`^HTTP/1.1 ${status}`));
    expect(sent.broken).toBeUndefined();
  });

  it('does not wait for ever for a rest that does not come', async () => {
    await serve(50);
    const sent = await sendLate('/refused', '', 10);
    expect(sent.answer).toMatch(/^HTTP\/1.1 401/);
  });
});
