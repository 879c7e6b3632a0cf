import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { mustRun, runCommand } from '../../runtime/command.ts';
import { until } from '../../runtime/deadline.ts';

export interface TestPostgres {
  /** The address of a new, empty database. */
  freshDatabase(): Promise<string>;
  stop(): Promise<void>;
}

/** Debian's user for other people's files; PostgreSQL refuses to run as root. */
const NOBODY = 65534;

/** Where Debian's package `postgresql` puts the server: the newest version there is. */
async function serverPrograms(): Promise<string> {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? (await readdir(root)).filter((name) => /^\d+$/.test(name)) : [];
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  if (newest === undefined) throw new Error('The tests of the store need PostgreSQL: apt-get install postgresql');
  return join(root, newest, 'bin');
}

/**
 * A real PostgreSQL in a directory of its own under /var/tmp, reachable through a socket there and nowhere else; nothing of
 * it is left after `stop`.
 */
export async function startPostgres(): Promise<TestPostgres> {
  const programs = await serverPrograms();
  const directory = await mkdtemp('/var/tmp/holdfast-postgres-');
  const asRoot = process.getuid?.() === 0;
  const user = asRoot ? { uid: NOBODY, gid: NOBODY } : {};
  if (asRoot) await chown(directory, NOBODY, NOBODY);
  const data = join(directory, 'data');
  const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', HOME: directory };
  let server: ChildProcess | undefined;
  try {
    await mustRun(join(programs, 'initdb'), ['-D', data, '-U', 'holdfast', '--auth=trust', '--no-sync', '-E', 'UTF8'], {
      deadlineMs: 120_000,
      environment,
      directory,
      ...user,
    });
    server = spawn(
      join(programs, 'postgres'),
      [
        '-D',
        data,
        '-k',
        directory,
        '-c',
        'listen_addresses=',
        '-c',
        'fsync=off',
        '-c',
        'shared_buffers=16MB',
        '-c',
        'max_connections=40',
      ],
      { stdio: 'ignore', env: environment, cwd: directory, ...user },
    );
    const ready = async (): Promise<boolean> => {
      const asked = await runCommand(join(programs, 'pg_isready'), ['-h', directory, '-U', 'holdfast'], {
        deadlineMs: 10_000,
        environment,
      });
      return asked.code === 0;
    };
    await until(ready, 'The start of PostgreSQL', 60_000, 100);
  } catch (error) {
    server?.kill('SIGKILL');
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  const started = server;
  const exited = new Promise<void>((resolve) => started.once('exit', () => resolve()));
  const address = (database: string): string =>
    `postgresql://holdfast@localhost/${database}?host=${encodeURIComponent(directory)}`;
  let made = 0;
  return {
    async freshDatabase() {
      made += 1;
      const client = new Client({ connectionString: address('postgres') });
      await client.connect();
      try {
        await client.query(`create database test${made}`);
      } finally {
        await client.end();
      }
      return address(`test${made}`);
    },
    async stop() {
      // SIGINT: a fast shutdown, which ends open connections (PostgreSQL's documentation, "Shutting Down the Server").
      started.kill('SIGINT');
      const killer = setTimeout(() => started.kill('SIGQUIT'), 20_000);
      await exited;
      clearTimeout(killer);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
