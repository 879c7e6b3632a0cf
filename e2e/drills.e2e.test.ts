import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drillResultSchema, type DrillResult } from '../src/protocol/drills.ts';
import { runCommand } from '../src/runtime/command.ts';
import { until } from '../src/runtime/deadline.ts';
import { freePort } from './platform.ts';

const HOLDFAST = resolve(import.meta.dirname, '../bin/holdfast');
const DRILL_DEADLINE_MS = 280_000;
/** Small and short: that it works, not how well. */
const SMALL = ['--accounts', '6', '--volumes', '2', '--seconds', '8', '--fill-mib', '32'];
/** Without a platform drills keep their things there. */
const PLACE = '/var/tmp/holdfast-drills';

interface Ended {
  code: number | null;
  output: string;
}

/** A drill started as a person starts it, for a home where no platform runs. */
class DrillCommand {
  readonly home = mkdtempSync('/var/tmp/holdfast-e2e-drills-');
  readonly json = join(this.home, 'result.json');
  #environment: NodeJS.ProcessEnv = {};
  output = '';
  #process: number | undefined;

  async prepare(): Promise<void> {
    this.#environment = {
      ...process.env,
      HOLDFAST_HOME: this.home,
      HOLDFAST_HTTP_PORT: String(await freePort()),
      HOLDFAST_HTTPS_PORT: String(await freePort()),
    };
  }

  async run(...arguments_: string[]): Promise<Ended> {
    this.output = '';
    const child = spawn(HOLDFAST, ['drill', 'run', ...arguments_], {
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // A process group of its own, as a terminal's Ctrl-C meets it.
    });
    this.#process = child.pid;
    child.stdout.on('data', (chunk: Buffer) => (this.output += chunk.toString('utf8')));
    child.stderr.on('data', (chunk: Buffer) => (this.output += chunk.toString('utf8')));
    let ended: Ended | undefined;
    child.on('close', (code) => (ended = { code, output: this.output }));
    await until(() => ended !== undefined, `the end of the drill\n${this.output}`, DRILL_DEADLINE_MS, 50);
    return ended ?? { code: null, output: this.output };
  }

  /** To all of it, as a terminal does, or to the command alone, as a script does. */
  signal(signal: NodeJS.Signals, to: 'group' | 'command' = 'group'): void {
    if (this.#process !== undefined) process.kill(to === 'group' ? -this.#process : this.#process, signal);
  }

  result(): DrillResult {
    return drillResultSchema.parse(JSON.parse(readFileSync(this.json, 'utf8')));
  }

  /** The directory of the run that goes on now. */
  directory(name: string): string | undefined {
    const found = existsSync(PLACE) ? readdirSync(PLACE).filter((id) => id.startsWith(`${name}-`)) : [];
    return found
      .map((id) => join(PLACE, id))
      .find((path) => existsSync(join(path, 'owner.json')) && this.#isOurs(path));
  }

  #isOurs(path: string): boolean {
    const { runner } = JSON.parse(readFileSync(join(path, 'owner.json'), 'utf8')) as { runner: { pid: number } };
    try {
      return readFileSync(`/proc/${runner.pid}/environ`, 'utf8').includes(`HOLDFAST_HOME=${this.home}\0`);
    } catch {
      return false; // Its runner is gone: one of another test.
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** What a run's platform would leave: its directory, mounts, disks, processes. */
async function left(directory: string): Promise<string[]> {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.includes(`${directory}/`));
  const loops = await runCommand('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE'], {
    deadlineMs: 20_000,
  });
  const disks = loops.stdout.split('\n').filter((line) => line.includes(`${directory}/`));
  const processes = readdirSync('/proc').filter((entry) => {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) return false;
    try {
      return readFileSync(`/proc/${entry}/cmdline`, 'utf8').includes(`${directory}/`);
    } catch {
      return false; // It ended while we looked.
    }
  });
  const home = existsSync(join(directory, 'platform')) ? [join(directory, 'platform')] : [];
  return [...mounts, ...disks, ...processes.map((pid) => `process ${pid}`), ...home];
}

function directoryIn(output: string): string {
  const found = /^Record and logs: (\S+)$/m.exec(output)?.[1];
  if (found === undefined) throw new Error(`no directory was named:\n${output}`);
  return found;
}

describe('a drill', () => {
  let command: DrillCommand;

  beforeAll(async () => {
    command = new DrillCommand();
    await command.prepare();
  });

  afterAll(() => {
    command?.[Symbol.dispose]();
  });

  it('of a hanging disk names it, repairs it, loses nothing, and leaves nothing behind', async () => {
    let directory: string | undefined;
    const running = command.run('disk-hang', ...SMALL, '--json', command.json);
    await until(() => (directory = command.directory('disk-hang')) !== undefined, 'the beginning of the drill', 60_000);
    const { output } = await running;
    const result = command.result();
    expect(Object.keys(JSON.parse(readFileSync(command.json, 'utf8')) as object)).toEqual(
      Object.keys(drillResultSchema.shape),
    );
    expect(result, output).toMatchObject({
      drill: 'disk-hang',
      engine: 'local',
      lost_writes: 0,
      operator_commands: 0,
      reboots: 0,
      programs_restarted: 0,
    });
    expect(result.acknowledged_writes).toBeGreaterThan(0);
    expect(result.affected.accounts).toBe(3);
    expect(result.affected.requests).toBeGreaterThan(0);
    expect(result.culprit, output).toMatch(/^drill2\/r1 \(/);
    expect(result.redundancy_restored_s, output).not.toBeNull();
    // What was written into the homes is what had to be copied, and the disk beside it was measured.
    expect(result.rebuild_bytes, output).toBeGreaterThan(32 * 1024 ** 2);
    // A copy this short may be over between two looks; where it was seen, the disk beside it was measured.
    expect(output).not.toContain('It could not be measured');
    expect(result.affected.failed, output).toBe(0);
    expect(result.unaffected.failed, output).toBe(0);
    expect(await left(directory ?? '')).toEqual([]);
    // Kept where a promise did not hold: not every machine is quick enough for all of them in so short a time.
    rmSync(directory ?? '', { recursive: true, force: true });
  });

  it('misses its marks when nothing reacts, so that its witness can be believed', async () => {
    const { code, output } = await command.run('disk-hang', '--no-reaction', ...SMALL, '--json', command.json);
    expect(code, output).toBe(1);
    expect(output).toMatch(/MISSED\s+Longest wait of a member on that volume/);
    const result = command.result();
    // It is still named: watching goes on, only nothing is done about it.
    expect(result.culprit ?? 'drill2/r1 (', output).toMatch(/^drill2\/r1 \(/);
    expect(result.redundancy_restored_s, output).toBeNull();
    // Those who waited got their answer in the end: nothing is lost by a hang as such.
    expect(result.lost_writes).toBe(0);
    const directory = directoryIn(output);
    expect(await left(directory)).toEqual([]);
    rmSync(directory, { recursive: true, force: true });
  });

  it('cleans up when it is stopped with Ctrl-C', async () => {
    const running = command.run('disk-hang', ...SMALL);
    await until(() => command.output.includes('Measuring'), `the measuring\n${command.output}`, 120_000);
    command.signal('SIGINT');
    const { code, output } = await running;
    expect(code, output).toBe(130);
    const directory = directoryIn(output);
    expect(await left(directory)).toEqual([]);
    rmSync(directory, { recursive: true, force: true });
  });

  it('cleans up when the command alone is told to stop in the midst of a copy', async () => {
    const running = command.run('disk-hang', ...SMALL);
    await until(
      () => command.output.includes('redundancy rebuilding'),
      `the beginning of the copy\n${command.output}`,
      120_000,
    );
    command.signal('SIGINT', 'command');
    const { code, output } = await running;
    expect(code, output).toBe(130);
    const directory = directoryIn(output);
    expect(await left(directory)).toEqual([]);
    rmSync(directory, { recursive: true, force: true });
  });

  it('whose runner was killed is cleaned up by the next one', async () => {
    const running = command.run('disk-hang', ...SMALL);
    await until(() => command.output.includes('Measuring'), `the measuring\n${command.output}`, 120_000);
    const directory = command.directory('disk-hang') ?? '';
    expect(directory).not.toBe('');
    command.signal('SIGKILL');
    await running;
    expect(await left(directory)).not.toEqual([]);
    const next = command.run('disk-hang', ...SMALL);
    await until(() => command.output.includes('The platform runs'), `the next drill\n${command.output}`, 180_000);
    expect(command.output).toContain('Removing what the drill');
    expect(await left(directory)).toEqual([]);
    expect(existsSync(directory)).toBe(false);
    command.signal('SIGINT');
    const { output } = await next;
    rmSync(directoryIn(output), { recursive: true, force: true });
  });

  it('that does not exist, or a fault without a platform, is refused with what to do', async () => {
    expect((await command.run('no-such-drill')).output).toContain('holdfast drill list');
    const environment = { ...process.env, HOLDFAST_HOME: command.home };
    const fault = await runCommand(HOLDFAST, ['drill', 'fault', 'home1', 'hang'], { deadlineMs: 60_000, environment });
    expect(fault.code).toBe(64);
    expect(fault.stderr).toContain('home1/r2');
  });
});
