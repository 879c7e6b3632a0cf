import { spawn, type SpawnOptions } from 'node:child_process';
import { HoldfastError } from '../protocol/errors.ts';

export interface CommandResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  /** Milliseconds after which the command is killed and, should the kernel hold it, abandoned. */
  deadlineMs: number;
  input?: string | Buffer;
  environment?: NodeJS.ProcessEnv;
  directory?: string;
  uid?: number;
  gid?: number;
  /** Most bytes kept of each output stream; the rest is read and dropped. */
  outputLimit?: number;
  /** Called with each line of standard output as it comes. */
  onLine?: (line: string) => void;
  /** Ends the command early: it is killed, and the promise rejects with the signal's reason as soon as it is gone. */
  signal?: AbortSignal;
}

/** So long a killed command may take to go before it is abandoned. */
const KILLED_GRACE_MS = 2_000;

/** Children the kernel would not let go of at their deadline (uninterruptible sleep): counted, never waited for. */
export const abandonedChildren = new Set<number>();

/**
 * Runs a program to its end with a deadline. Never uses a shell. At the deadline the child gets SIGKILL; a child stuck in
 * the kernel is abandoned (see `abandonedChildren`) so that the caller always goes on.
 * Throws `set-up-missing` when the program does not exist and `deadline-passed` at the deadline.
 */
export async function runCommand(
  program: string,
  arguments_: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const limit = options.outputLimit ?? 1024 * 1024;
  const spawnOptions: SpawnOptions = {
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd: options.directory ?? '/',
    env: options.environment ?? { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' },
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  };
  return await new Promise<CommandResult>((resolve, reject) => {
    const child = spawn(program, [...arguments_], spawnOptions);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let outBytes = 0;
    let errBytes = 0;
    let partial = '';
    let settled = false;
    const settle = (act: () => void): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort);
      act();
    };
    const giveUp = (reason: unknown): void => {
      if (settled) return;
      child.kill('SIGKILL');
      const pid = child.pid;
      if (pid !== undefined) {
        abandonedChildren.add(pid);
        child.once('exit', () => abandonedChildren.delete(pid));
      }
      child.stdin?.destroy();
      child.stdout?.destroy();
      child.stderr?.destroy();
      child.unref();
      settle(() => reject(reason));
    };
    let timer = setTimeout(() => {
      giveUp(
        new HoldfastError('deadline-passed', `${program} did not finish within ${options.deadlineMs} ms.`, {
          details: tail(Buffer.concat(err).toString('utf8'), 5),
        }),
      );
    }, options.deadlineMs);
    const onAbort = (): void => {
      child.kill('SIGKILL');
      clearTimeout(timer);
      timer = setTimeout(() => giveUp(options.signal?.reason), KILLED_GRACE_MS);
    };
    options.signal?.addEventListener('abort', onAbort, { once: true });
    if (options.signal?.aborted === true) onAbort();
    child.on('error', (error: NodeJS.ErrnoException) => {
      settle(() =>
        reject(
          error.code === 'ENOENT'
            ? new HoldfastError(
                'set-up-missing',
                `The program ${program} is not installed. Run npm start, which installs it.`,
              )
            : new HoldfastError('command-failed', `${program} could not be started: ${error.message}`, {
                cause: error,
              }),
        ),
      );
    });
    child.stdout?.on('data', (chunk: Buffer) => {
      if (outBytes < limit) out.push(chunk);
      outBytes += chunk.length;
      if (options.onLine) {
        const lines = (partial + chunk.toString('utf8')).split(/\r?\n|\r/);
        partial = lines.pop() ?? '';
        for (const line of lines) options.onLine(line);
      }
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      if (errBytes < limit) err.push(chunk);
      errBytes += chunk.length;
    });
    // A child that exits without reading its input makes the write fail; its exit code tells the story.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
    child.on('close', (code, signal) => {
      if (options.signal?.aborted === true) {
        settle(() => reject(options.signal?.reason));
        return;
      }
      if (options.onLine && partial !== '') options.onLine(partial);
      settle(() =>
        resolve({
          code,
          signal,
          stdout: Buffer.concat(out).toString('utf8'),
          stderr: Buffer.concat(err).toString('utf8'),
        }),
      );
    });
  });
}

function tail(text: string, lines: number): string[] {
  return text
    .trimEnd()
    .split('\n')
    .slice(-lines)
    .filter((line) => line !== '');
}

/** Like runCommand, but an exit code other than 0 throws `command-failed` with the last lines of the output. */
export async function mustRun(
  program: string,
  arguments_: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const result = await runCommand(program, arguments_, options);
  if (result.code !== 0) {
    throw new HoldfastError(
      'command-failed',
      `${program} ${arguments_[0] ?? ''} failed (${result.signal ?? result.code}).`,
      {
        details: tail(result.stderr || result.stdout, 8),
      },
    );
  }
  return result;
}
