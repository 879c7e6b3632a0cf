import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A cgroup for the hand-written applications beside those of the members' accounts, with the same share of the processor:
 * as systemd gives each service a group of its own. Without it the two sides would be scheduled by different rules
 * whenever somebody else works on the machine, and the comparison would measure that.
 */
export class ProcessorShare implements Disposable {
  readonly #group: string;

  constructor(instance: string, weight: number, root = '/sys/fs/cgroup') {
    const unified = existsSync(join(root, 'cgroup.controllers'));
    // No program has this name, and the agent looks for programs one level further down.
    this.#group = join(root, unified ? '' : 'cpu', 'holdfast', instance, 'baseline');
    mkdirSync(this.#group, { recursive: true });
    writeFileSync(join(this.#group, unified ? 'cpu.weight' : 'cpu.shares'), String(weight));
  }

  join(pid: number): void {
    writeFileSync(join(this.#group, 'cgroup.procs'), String(pid));
  }

  /** All that joined must have ended. */
  [Symbol.dispose](): void {
    rmdirSync(this.#group);
  }
}
