import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { HoldfastError } from '../../protocol/errors.ts';
import type { AccountSpec } from '../../protocol/sites.ts';
import type { AgentContext, ProgramsPart, StoragePart } from '../context.ts';
import { SFTP_SERVER, type Sandboxes } from '../programs/sandbox.ts';
import { FileWorkers, WORKER_LIMITS, type WorkerLimits } from './file-workers.ts';
import { createCompact } from './compact.ts';
import { LogFiles } from './log-files.ts';
import { LogRotation } from './log-rotation.ts';
import { memberPath, writablePath } from './member-paths.ts';
import { MemberFiles } from './member-files.ts';

/** What files need of the other parts. */
export interface FilesGround {
  /** Without `withRoom` there are no limits that would have to be lifted. */
  storage: Pick<StoragePart, 'homeOf' | 'onVolumeChange'> & Partial<Pick<StoragePart, 'withRoom'>>;
  sandboxes: Pick<Sandboxes, 'spawn' | 'run' | 'end'>;
  accountOf(name: string): AccountSpec | undefined;
  gateway: { reopenLogs(): void };
}

/** Files as the account's own uid, and logs. */
export interface FilesPart {
  /** Begins turning logs over. */
  start(): Promise<void>;
  /** Ends the file servers; they are throw-away. */
  stop(): Promise<void>;
  /** Before an account's home is removed: ends its file server and removes its logs. */
  release(account: string): Promise<void>;
  handlers: Pick<
    ProgramsPart['handlers'],
    | 'files.stat'
    | 'files.list'
    | 'files.tree'
    | 'files.makeDirectory'
    | 'files.remove'
    | 'files.rename'
    | 'files.compact'
    | 'logs.tail'
  >;
  readFile: ProgramsPart['readFile'];
  writeFile: ProgramsPart['writeFile'];
}

export function createFiles(
  context: AgentContext,
  ground: FilesGround,
  limits: WorkerLimits = WORKER_LIMITS,
): FilesPart {
  const { layout, log } = context;

  const accountOf = (name: string): AccountSpec => {
    const account = ground.accountOf(name);
    if (!account) throw new HoldfastError('not-found', `There is no account ${name} on this host.`);
    return account;
  };

  const workers = new FileWorkers(
    {
      volumeOf: (account) => ground.storage.homeOf(accountOf(account).name).volume,
      spawn: async (name, program): Promise<ChildProcess> => {
        const account = accountOf(name);
        const request = {
          account,
          home: ground.storage.homeOf(name),
          program,
          command: SFTP_SERVER,
          dieWithAgent: true,
        };
        return await ground.sandboxes.spawn(request, ['pipe', 'pipe', 'ignore']);
      },
      end: async (account, program, deadlineMs) => await ground.sandboxes.end(account, program, deadlineMs),
    },
    log,
    limits,
  );
  ground.storage.onVolumeChange((volume, usable) => {
    if (!usable) workers.leaveClosed(volume);
  });
  const files = new MemberFiles(workers, async (name, command, deadlineMs) => {
    const account = accountOf(name);
    return await ground.sandboxes.run(
      { account, home: ground.storage.homeOf(name), command },
      { deadlineMs, outputLimit: 64 * 1024 },
    );
  });
  const compact = createCompact({
    sizeOf: async (account, path) => await files.fileSize(account, path),
    run: async (name, command, deadlineMs) => {
      const request = { account: accountOf(name), home: ground.storage.homeOf(name), command };
      return await ground.sandboxes.run(request, { deadlineMs, outputLimit: 64 * 1024 });
    },
    withRoom: async (account, bytes, work) => {
      const { storage } = ground;
      if (storage.withRoom !== undefined) return await storage.withRoom(account, bytes, work);
      return { result: await work(), freedBytes: 0 };
    },
  });
  const logs = new LogFiles(layout.logs);
  const rotation = new LogRotation({
    logs: layout.logs,
    gatewayLogs: join(layout.gateway, 'logs'),
    reopen: () => ground.gateway.reopenLogs(),
    log,
  });

  return {
    start: async () => {
      rotation.start();
      await Promise.resolve();
    },
    stop: async () => {
      await rotation.stop();
      await workers.stop();
    },
    release: async (account) => {
      await workers.release(account);
      await logs.removeAll(account);
    },
    handlers: {
      'files.stat': async ({ account, path: given }) => {
        const { path, isLog } = memberPath(account, given);
        return isLog ? await logs.stat(account, path) : await files.stat(account, path);
      },
      'files.list': async ({ account, path: given }) => {
        const { isLog, isRoot, path } = memberPath(account, given);
        if (!isLog) return await files.list(account, path);
        if (!isRoot) throw new HoldfastError('input-invalid', `${path} is not a directory`, { field: 'path' });
        return { entries: await logs.list(account), truncated: false };
      },
      'files.tree': async ({ account, path: given, limit }) => {
        const { path, isLog } = memberPath(account, given);
        return isLog ? { paths: await logs.tree(account, path, limit) } : await files.tree(account, path, limit);
      },
      'files.makeDirectory': async ({ account, path }) => await files.makeDirectory(account, path),
      'files.remove': async ({ account, path: given }) => {
        const { path, isLog } = memberPath(account, given);
        return isLog ? await logs.remove(account, path) : await files.remove(account, path);
      },
      'files.compact': async ({ account, path: given }) => {
        const { path } = writablePath(account, given);
        return await compact(account, path);
      },
      'files.rename': async ({ account, from, to }) => {
        await files.rename(account, from, to);
        return {};
      },
      'logs.tail': async ({ account, domain, kind, lines }) => await logs.tail(account, domain, kind, lines),
    },
    readFile: async (account, given) => {
      const { path, isLog } = memberPath(account, given);
      return isLog ? await logs.read(account, path) : await files.readFile(account, path);
    },
    writeFile: async (account, path, content, expectedBytes, insteadOf) => {
      // It may break off before anybody reads it; reading it tells then. Without a listener that would end the agent.
      content.on('error', () => undefined);
      writablePath(account, path);
      return await files.writeFile(account, path, content, expectedBytes, insteadOf);
    },
  };
}
