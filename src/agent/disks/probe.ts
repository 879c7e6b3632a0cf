import { spawn, type ChildProcess } from 'node:child_process';

const DEADLINE_MS = 3_000;
const COMMIT_DEADLINE_MS = 10_000;
const READ_DEADLINE_MS = 2_000;
/** Where btrfs keeps its super block: it is on every disk of ours, and no cache answers for it. */
const SUPER_BLOCK = 65_536;

/** One throw-away process at a time: one that the kernel holds is asked about again, and no second one is started beside it. */
export class Asking {
  readonly #program: string;
  readonly #parameters: readonly string[];
  #child: ChildProcess | undefined;

  constructor(program: string, parameters: readonly string[]) {
    this.#program = program;
    this.#parameters = parameters;
  }

  /** Whether it ended well within so many milliseconds. */
  async answers(deadlineMs: number): Promise<boolean> {
    const child = this.#child ?? this.#start();
    return await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => finish(false), deadlineMs);
      const onExit = (code: number | null): void => finish(code === 0);
      const onError = (): void => finish(false);
      const finish = (answered: boolean): void => {
        clearTimeout(timer);
        child.off('exit', onExit).off('error', onError);
        resolve(answered);
      };
      child.once('exit', onExit).once('error', onError);
    });
  }

  /** The process that has been asked and has not answered yet. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  #start(): ChildProcess {
    const child = spawn(this.#program, this.#parameters, { cwd: '/', stdio: 'ignore' });
    child.unref();
    this.#child = child;
    const over = (): void => {
      this.#child = undefined;
    };
    child.once('exit', over);
    child.once('error', over);
    return child;
  }
}

/**
 * Asks a volume for one durable write, in a throw-away process. A process that the volume holds cannot be ended, so no
 * second one is started before the first came back: a volume that hangs for a day costs one process.
 */
export class Probe {
  readonly #asking: Asking;

  constructor(file: string) {
    const parameters = ['if=/dev/zero', `of=${file}`, 'bs=4096', 'count=1', 'conv=fsync,notrunc', 'status=none'];
    this.#asking = new Asking('dd', parameters);
  }

  /** Whether the volume answered within three seconds. */
  async answers(): Promise<boolean> {
    return await this.#asking.answers(DEADLINE_MS);
  }

  /** The process that waits for the volume, if one does. */
  get pid(): number | undefined {
    return this.#asking.pid;
  }
}

/** Asks a volume to write everything out, in a throw-away process (syncfs(2)). */
export class Commit {
  readonly #asking: Asking;

  constructor(mount: string) {
    this.#asking = new Asking('sync', ['--file-system', mount]);
  }

  /** Whether it had within ten seconds. */
  async ends(): Promise<boolean> {
    return await this.#asking.answers(COMMIT_DEADLINE_MS);
  }
}

/** Asks single disks for a read of their own, past every cache and past the file system. */
export class DiskReads {
  readonly #asking = new Map<string, Asking>();

  /** Whether the device (/dev/loop3) answered within two seconds. */
  async answers(device: string): Promise<boolean> {
    let asking = this.#asking.get(device);
    if (asking === undefined) {
      const skip = `skip=${SUPER_BLOCK / 4096}`;
      asking = new Asking('dd', [
        `if=${device}`,
        'of=/dev/null',
        'bs=4096',
        skip,
        'count=1',
        'iflag=direct',
        'status=none',
      ]);
      this.#asking.set(device, asking);
    }
    return await asking.answers(READ_DEADLINE_MS);
  }
}
