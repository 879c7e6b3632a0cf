import type { FastifyInstance } from 'fastify';

/** How long the rest of a body is taken after its answer; whoever is still sending then is cut off. */
const DRAIN_MS = 60_000;

/**
 * An answer may come before the body was read: a wrong token, a file that is too large. A connection that is closed while the
 * other side still writes loses the answer it holds, so it stays open, and what still comes is read and dropped.
 */
export function registerEarlyAnswers(server: FastifyInstance, drainMs = DRAIN_MS): void {
  server.addHook('onSend', async (request, reply) => {
    const { raw } = request;
    await Promise.resolve();
    if (raw.complete) return;
    // Fastify's own refusals, and clients that want no second request, ask for the connection to be closed.
    reply.removeHeader('connection');
    reply.raw.shouldKeepAlive = true;
    reply.raw.once('finish', () => {
      if (raw.complete) return;
      const { socket } = raw;
      const cut = setTimeout(() => raw.destroy(), drainMs);
      cut.unref();
      raw.once('end', () => clearTimeout(cut));
      socket.once('close', () => clearTimeout(cut));
      raw.resume();
    });
  });
}
