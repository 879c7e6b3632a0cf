import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { within } from '../runtime/deadline.ts';
import { witnessReportSchema, type VolumeLive, type WitnessCommand, type WitnessResult } from './witness/messages.ts';

const PROGRAM = join(import.meta.dirname, 'witness', 'main.ts');

/** The runner's side of the witness: a process of its own that shares nothing with the platform or the runner. */
export class WitnessProcess implements Disposable {
  readonly #child: ChildProcess;
  readonly #result = Promise.withResolvers<WitnessResult>();
  volumes: VolumeLive[] = [];

  constructor(note: (text: string) => void) {
    this.#child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=4', PROGRAM],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8' },
        cwd: '/',
      },
    );
    this.#result.promise.catch(() => undefined); // Whoever asks for the result gets the reason.
    this.#child.on('error', (error) => this.#result.reject(error));
    this.#child.on('exit', (code, how) =>
      this.#result.reject(new Error(`The witness ended before it could report (${how ?? String(code)}).`)),
    );
    this.#child.stdin?.on('error', () => undefined); // Its end is reported by 'exit'.
    if (this.#child.stdout === null) return;
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const report = witnessReportSchema.parse(JSON.parse(line));
      if (report.type === 'live') this.volumes = report.volumes;
      else if (report.type === 'note') note(report.text);
      else this.#result.resolve(report.result);
    });
  }

  tell(command: WitnessCommand): void {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async finish(command: Extract<WitnessCommand, { type: 'finish' }>, deadlineMs: number): Promise<WitnessResult> {
    this.tell(command);
    return await within(deadlineMs, 'the report of the witness', this.#result.promise);
  }

  [Symbol.dispose](): void {
    this.#child.stdin?.end();
    this.#child.kill('SIGKILL');
  }
}
