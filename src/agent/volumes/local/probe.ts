import { spawn, type ChildProcess } from 'node:child_process';

const DEADLINE_MS = 3_000;

/**
 * Asks a volume for one durable write, in a throw-away process. A process that the volume holds cannot be ended, so no
 * second one is started before the first came back: a volume that hangs for a day costs one process.
 */
export class Probe {
  readonly #file: string;
  #child: ChildProcess | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  /** Whether the volume answered within three seconds. */
  async answers(): Promise<boolean> {
    const child = this.#child ?? this.#start();
    return await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => finish(false), DEADLINE_MS);
      const onExit = (code: number | null): void => finish(code === 0);
      const finish = (answered: boolean): void => {
        clearTimeout(timer);
        child.off('exit', onExit);
        resolve(answered);
      };
      child.once('exit', onExit);
      child.once('error', () => finish(false));
    });
  }

  #start(): ChildProcess {
    const parameters = ['if=/dev/zero', `of=${this.#file}`, 'bs=4096', 'count=1', 'conv=fsync,notrunc', 'status=none'];
    const child = spawn('dd', parameters, { cwd: '/', stdio: 'ignore' });
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
