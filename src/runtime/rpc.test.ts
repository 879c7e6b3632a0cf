import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentHandlers } from '../protocol/agent.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { EventLog } from './events.ts';
import { ensureIdentities, readIdentity } from './identity.ts';
import { createLogger } from './log.ts';
import { RpcClient } from './rpc-client.ts';
import { RpcServer } from './rpc-server.ts';

const uid = process.getuid?.() ?? 0;

describe('the connection between the control plane and an agent', () => {
  let directory: string;
  let server: RpcServer;
  let client: RpcClient;
  const events = new EventLog();
  const written = new Map<string, string>();

  beforeEach(async () => {
    directory = mkdtempSync('/tmp/holdfast-rpc-');
    const places = {
      agent: { path: join(directory, 'agent'), uid },
      control: { path: join(directory, 'control'), uid },
    };
    await ensureIdentities(places);
    const address = { socketPath: join(directory, 'agent.sock') };
    server = new RpcServer({
      address,
      groupId: process.getgid?.() ?? 0,
      identity: readIdentity(places.agent.path),
      log: createLogger('test'),
      handlers: {
        'operations.list': async () => await Promise.resolve([]),
        'volumes.open': async () => await Promise.reject(new HoldfastError('storage-repair', 'Being repaired.')),
        'volumes.list': async () => await Promise.reject(new TypeError('a defect with an inner detail')),
      } as Partial<AgentHandlers> as AgentHandlers,
      readFile: async () => await Promise.resolve({ size: 5, stream: Readable.from(['hello']) }),
      writeFile: async (account, path, content, _expectedBytes, insteadOf) => {
        if (path.endsWith('/full')) {
          // As the agent's own part does: it stops in the middle of reading.
          for await (const _chunk of content) throw new HoldfastError('no-room', 'The volume is full.');
        }
        written.set(
          `${account}:${path}`,
          `${await text(content)}${insteadOf === undefined ? '' : ` instead of ${insteadOf}`}`,
        );
        return { created: true };
      },
      events: (after, signal) => events.read(after, signal),
    });
    await server.listen();
    client = new RpcClient(address, readIdentity(places.control.path));
  });

  afterEach(async () => {
    client.close();
    await server.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('carries a call and its answer', async () => {
    expect(await client.call('operations.list', {})).toEqual([]);
    expect(client.reachable()).toBe(true);
  });

  it('lets go of an idle connection before the agent does, so that no call meets a closed one', async () => {
    const { certificate: cert, privateKey: key } = readIdentity(join(directory, 'agent'));
    const connected = Promise.withResolvers<TLSSocket>();
    // It would never close one itself, but announces that it does after two seconds.
    const patient = createServer({ key, cert, keepAliveTimeout: 0 }, (_request, response) =>
      response.setHeader('keep-alive', 'timeout=2').end('[]'),
    );
    patient.on('secureConnection', (socket) => connected.resolve(socket));
    const socketPath = join(directory, 'patient.sock');
    await new Promise<void>((resolve) => patient.listen(socketPath, resolve));
    const other = new RpcClient({ socketPath }, readIdentity(join(directory, 'control')));
    try {
      await other.call('operations.list', {});
      const socket = await connected.promise;
      await new Promise((resolve) => socket.once('close', resolve));
    } finally {
      other.close();
      patient.closeAllConnections();
      await new Promise((resolve) => patient.close(resolve));
    }
  });

  it('waits for a long call on a kept connection for longer than an idle one is kept', async () => {
    const { certificate: cert, privateKey: key } = readIdentity(join(directory, 'agent'));
    let connections = 0;
    let calls = 0;
    // An idle connection is let go of after one second, one less than what is announced.
    const slow = createServer({ key, cert, keepAliveTimeout: 0 }, (_request, response) => {
      calls += 1;
      response.setHeader('keep-alive', 'timeout=2');
      setTimeout(() => response.end('[]'), calls === 1 ? 0 : 2_500);
    });
    slow.on('secureConnection', () => (connections += 1));
    const socketPath = join(directory, 'slow.sock');
    await new Promise<void>((resolve) => slow.listen(socketPath, resolve));
    const other = new RpcClient({ socketPath }, readIdentity(join(directory, 'control')));
    try {
      await other.call('operations.list', {});
      expect(await other.call('operations.list', {})).toEqual([]);
      expect(connections).toBe(1);
    } finally {
      other.close();
      slow.closeAllConnections();
      await new Promise((resolve) => slow.close(resolve));
    }
  });

  it('carries an expected error with its code', async () => {
    await expect(client.call('volumes.open', { name: 'v1' })).rejects.toMatchObject({
      code: 'storage-repair',
      status: 503,
    });
  });

  it('tells nothing internal of an unexpected error', async () => {
    const error = await client.call('volumes.list', {}).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'internal' });
    expect(String(error)).not.toContain('inner detail');
  });

  it('refuses input that does not fit the schema', async () => {
    await expect(client.call('volumes.open', { name: 'Not A Name' })).rejects.toMatchObject({ code: 'input-invalid' });
  });

  it('streams files both ways', async () => {
    const file = await client.readFile('alice', '/home/alice/a.txt');
    expect(file.size).toBe(5);
    expect(await text(file.stream)).toBe('hello');
    await client.writeFile('alice', '/home/alice/b.txt', Readable.from(['some ', 'words']), 10);
    expect(written.get('alice:/home/alice/b.txt')).toBe('some words');
    await client.writeFile('alice', '/home/alice/c.txt', Readable.from(['new']), 3, 'nothing');
    expect(written.get('alice:/home/alice/c.txt')).toBe('new instead of nothing');
  });

  it('tells why a file is not taken, also when it is told in the middle of sending', async () => {
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(65_536);
      })(),
      { objectMode: false },
    );
    const sending = client.writeFile('alice', '/home/alice/full', endless, undefined);
    await expect(sending).rejects.toMatchObject({ code: 'no-room', status: 507 });
    expect(await client.call('operations.list', {})).toEqual([]);
  });

  it('says that the agent cannot be reached when a file is sent to an agent that is gone', async () => {
    await server.close();
    const sending = client.writeFile('alice', '/home/alice/b.txt', Readable.from([Buffer.alloc(1_000_000)]), undefined);
    await expect(sending).rejects.toMatchObject({ code: 'agent-unreachable', retryAfterSeconds: 2 });
  });

  it('refuses a file path that climbs', async () => {
    await expect(client.readFile('alice', '/home/alice/../bob/x')).rejects.toMatchObject({ code: 'input-invalid' });
  });

  it('takes an agent whose stream stands still for one that is not reached, and remembers when it was heard', async () => {
    const { certificate: cert, privateKey: key } = readIdentity(join(directory, 'agent'));
    // As one that hangs after its first words: the connection stays open and nothing comes.
    const hung = createServer({ key, cert }, (_request, response) => {
      response.write('\n');
    });
    const socketPath = join(directory, 'hung.sock');
    await new Promise<void>((resolve) => hung.listen(socketPath, resolve));
    const other = new RpcClient({ socketPath }, readIdentity(join(directory, 'control')));
    try {
      const reading = (async () => {
        for await (const _event of other.events(0, new AbortController().signal)) throw new Error('an event');
      })();
      await expect(reading).rejects.toBeInstanceOf(Error);
      expect(other.reachable()).toBe(false);
      expect(other.heardAt()).not.toBeNull();
    } finally {
      other.close();
      hung.closeAllConnections();
      hung.close();
    }
  });

  it('streams events from a number on', async () => {
    events.emit({ type: 'operation', operation: operation('first') });
    events.emit({ type: 'operation', operation: operation('second') });
    const stop = new AbortController();
    const seen: string[] = [];
    const reader = client.events(1, stop.signal);
    for await (const event of reader) {
      if (event.type === 'operation') seen.push(event.operation.id);
      if (seen.length === 1) events.emit({ type: 'operation', operation: operation('third') });
      if (seen.length === 2) break;
    }
    stop.abort();
    expect(seen).toEqual(['second', 'third']);
  });

  it('refuses a caller without an identity, and one with the identity of another process', async () => {
    const agentIdentity = readIdentity(join(directory, 'agent'));
    const impostor = new RpcClient({ socketPath: join(directory, 'agent.sock') }, agentIdentity);
    await expect(impostor.call('operations.list', {})).rejects.toThrow(/./);
    impostor.close();
    const anonymous = new Promise((resolve, reject) => {
      const call = request({ socketPath: join(directory, 'agent.sock'), rejectUnauthorized: false, path: '/events' });
      call.on('error', reject);
      call.on('response', resolve);
      call.end();
    });
    await expect(anonymous).rejects.toThrow(/./);
  });

  it('says that the agent cannot be reached when it is gone', async () => {
    await server.close();
    await expect(client.call('operations.list', {})).rejects.toMatchObject({ code: 'agent-unreachable' });
    expect(client.reachable()).toBe(false);
  });
});

function operation(
  id: string,
): Parameters<EventLog['emit']>[0] extends infer B
  ? B extends { type: 'operation'; operation: infer O }
    ? O
    : never
  : never {
  return {
    id,
    kind: 'volume-scrub',
    subject: 'v1',
    state: 'running',
    progress: null,
    steps: [],
    error: null,
    startedAt: '2026-01-01T00:00:00.000Z',
    finishedAt: null,
  };
}
