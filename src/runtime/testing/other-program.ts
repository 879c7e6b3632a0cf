import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { until } from '../deadline.ts';

/** Some program of this machine with a mount namespace of its own, as a container or a backup has: it has copies of all mounts there are. */
export class OtherProgram {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** @param directory where it works, if it is to use a volume and not only to have it */
  static async start(propagation: 'private' | 'slave' | 'shared', directory = '/'): Promise<OtherProgram> {
    const child = spawn('unshare', ['--mount', `--propagation=${propagation}`, 'sleep', '1000000'], {
      cwd: directory,
      stdio: 'ignore',
      detached: true,
    });
    const other = new OtherProgram(child);
    await until(() => other.#command().startsWith('sleep'), 'the other program', 20_000);
    return other;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What is mounted below a directory, as it sees it. */
  mountsBelow(directory: string): string[] {
    return readFileSync(`/proc/${this.pid}/mountinfo`, 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .filter((path) => path.startsWith(`${directory}/`));
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await until(() => !this.alive, 'the end of the other program', 20_000);
  }

  #command(): string {
    try {
      return readFileSync(`/proc/${this.pid}/cmdline`, 'utf8');
    } catch {
      return ''; // It has just ended.
    }
  }
}
