import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { mustRun } from '../../../runtime/command.ts';
import { until } from '../../../runtime/deadline.ts';

const PROGRAM = join(import.meta.dirname, 'writer.ts');

/** A running writer: what a site that writes with fsync sees. */
export class Writer {
  readonly #child: ChildProcess;
  readonly #directory: string;
  #acknowledged = -1;
  #errors = '';
  #exit: number | null | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    this.#child = spawn(process.execPath, [PROGRAM, 'write', directory], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: '/',
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      const last = chunk.toString().trimEnd().split('\n').at(-1);
      if (last !== undefined && /^\d+$/.test(last)) this.#acknowledged = Number(last);
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.#errors += chunk.toString()));
    this.#child.on('exit', (code) => (this.#exit = code));
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Waits until that many more blocks are acknowledged. */
  async writes(count: number): Promise<void> {
    const goal = this.#acknowledged + count;
    await until(
      () => this.#acknowledged >= goal || this.#exit !== undefined,
      `${count} more acknowledged writes`,
      60_000,
    );
    this.assertNoError();
  }

  assertNoError(): void {
    if (this.#errors !== '' || (this.#exit !== undefined && this.#exit !== 0)) {
      throw new Error(`The writer failed (exit ${this.#exit}): ${this.#errors}`);
    }
  }

  async stop(): Promise<void> {
    if (this.#exit === undefined) this.#child.kill('SIGTERM');
    await until(() => this.#exit !== undefined, 'the writer ending', 30_000);
    this.assertNoError();
  }

  /** Ends it, whatever state it is in. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Reads everything that was acknowledged and compares it. */
  async verify(): Promise<void> {
    await mustRun(process.execPath, [PROGRAM, 'verify', this.#directory, String(this.#acknowledged)], {
      deadlineMs: 60_000,
    });
  }
}

/** Runs a shell line the way a member's program would, in a process of its own. */
export async function inVolume(script: string, ...parameters: string[]): Promise<string> {
  const result = await mustRun('/bin/sh', ['-euc', script, 'sh', ...parameters], { deadlineMs: 60_000 });
  return result.stdout.trimEnd();
}

/**
 * Reads a file past the memory, once from each replica of a mirror of two. btrfs chooses the replica by the reader's process id, odd or even
 * (btrfs(5), read policy "pid"): programs started in a steady rhythm may all have an even one.
 */
export async function readFromBoth(file: string): Promise<void> {
  const one = `[ $(($$ % 2)) = "$2" ] || exit 99; exec dd if="$1" of=/dev/null iflag=direct bs=4096 status=none`;
  for (const parity of ['0', '1']) {
    const script = `while code=0; sh -euc "$1" sh "$2" "$3" || code=$?; [ "$code" = 99 ]; do :; done; exit "$code"`;
    await inVolume(script, one, file, parity);
  }
}
