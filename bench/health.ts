import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { mustRun, runCommand } from '../src/runtime/command.ts';
import { until } from '../src/runtime/deadline.ts';
import { processorMs } from './measure/processor.ts';

/**
 * What the watching of disks costs, and whether it is honest.
 *
 * Cost: a host with 20 volumes (40 disks) that nobody uses, which is when every disk is probed; percent of one core, for the
 * agent before and with the watching, the watcher, its prober, and the valves through which the probes go.
 * Soak: heavy but healthy work on three volumes for so many minutes: small fsynced writes, full page cache, direct reading, scrubs, rebuilds,
 * quota rescans, all at once. Every alarm is a failure.
 */
export interface HealthBenchOptions {
  volumes: number;
  soakMinutes: number;
  say: (line: string) => void;
}

const PROGRAM = join(import.meta.dirname, '../src/agent/health/testing/host-process.ts');
const MiB = 1024 ** 2;
const IMAGE_BYTES = 256 * MiB;
/** What is written and removed takes pieces of a disk that stay taken: on one of 1 GiB a copy finds no room for an hour (decision 8). */
const SOAK_IMAGE_BYTES = 4096 * MiB;
const MEASURE_MS = 30_000;
/** A copy on a busy machine is held to a few MiB a second. */
const ORDER_DEADLINE_MS = 1_200_000;

class Host {
  readonly home = mkdtempSync('/var/tmp/holdfast-bench-');
  readonly log = join(this.home, 'troubles.log');
  readonly #child: ChildProcess;
  readonly #waiting: Array<{ line: string; resolve: () => void; reject: (error: Error) => void }> = [];
  #ready = false;

  constructor() {
    writeFileSync(this.log, '');
    this.#child = spawn(process.execPath, [PROGRAM, this.home, this.log, '0', 'later'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    if (this.#child.stdout === null) throw new Error('The host has no output.');
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#take(line));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async ready(): Promise<void> {
    await until(() => this.#ready, 'the host being ready', 60_000);
  }

  async order(line: string): Promise<void> {
    const done = new Promise<void>((resolve, reject) => this.#waiting.push({ line, resolve, reject }));
    this.#child.stdin?.write(`${line}\n`);
    await Promise.race([
      done,
      pause(ORDER_DEADLINE_MS, undefined, { ref: false }).then(() => {
        throw new Error(`${line} took too long.`);
      }),
    ]);
  }

  #take(line: string): void {
    if (line === 'ready') this.#ready = true;
    const [word = '', ...rest] = line.split(' ');
    const index = this.#waiting.findIndex((one) => rest.join(' ').startsWith(one.line));
    const one = index < 0 ? undefined : this.#waiting.splice(index, 1)[0];
    if (word === 'done') one?.resolve();
    else if (word === 'failed') one?.reject(new Error(line));
  }

  mount(volume: string): string {
    return join(this.home, 'volumes', volume, 'mnt');
  }

  /** Troubles that were told, by id. */
  alarms(): string[] {
    const lines = readFileSync(this.log, 'utf8').split('\n').filter(Boolean);
    const all = lines.map((line) => JSON.parse(line) as { id: string; diagnosis: { evidence: string[] } });
    return [...new Map(all.map((one) => [one.id, one.diagnosis.evidence.join(' ')])).values()];
  }

  async dispose(): Promise<void> {
    await this.order('close').catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
    // Also what would not close.
    await this.order('remove').catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
    this.#child.kill('SIGTERM');
    await until(() => this.#child.exitCode !== null || this.#child.signalCode !== null, 'the host ending', 20_000);
  }
}

/** The child of this process that runs this program. Ours only. */
function childRunning(pid: number, program: string): number | undefined {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);
  return children.find((child) => {
    try {
      return readFileSync(`/proc/${child}/cmdline`, 'utf8').includes(program);
    } catch {
      return false; // It ended while we looked.
    }
  });
}

/** The processes whose arguments name this home: its valves. Our own processes only, so reading their arguments waits for nothing. */
function valvesOf(home: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        if (!readFileSync(`/proc/${name}/comm`, 'utf8').startsWith('nbd')) return false;
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(`${home}/`);
      } catch {
        return false; // It ended while we looked.
      }
    })
    .map(Number);
}

function privateMiB(pid: number): string {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const of = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) / 1024;
  return `${(of('Private_Dirty') + of('Private_Clean')).toFixed(1)} MiB of its own, ${of('Rss').toFixed(0)} MiB with what is shared`;
}

const percentOf = (milliseconds: number, elapsed: number): string => `${((milliseconds / elapsed) * 100).toFixed(2)} %`;

async function measured(groups: Record<string, number[]>): Promise<Record<string, string>> {
  const before = Object.entries(groups).map(([name, pids]) => [name, pids, processorMs(pids)] as const);
  const begun = performance.now();
  await pause(MEASURE_MS);
  const elapsed = performance.now() - begun;
  return Object.fromEntries(before.map(([name, pids, ms]) => [name, percentOf(processorMs(pids) - ms, elapsed)]));
}

async function cost({ volumes, say }: HealthBenchOptions): Promise<void> {
  const host = new Host();
  try {
    await host.ready();
    say(`Making ${volumes} volumes ...`);
    for (let number = 0; number < volumes; number += 1) await host.order(`create v${number} ${IMAGE_BYTES}`);
    await pause(5_000);
    const valves = valvesOf(host.home);
    const without = await measured({ agent: [host.pid], valves });
    await host.order('watch');
    let watcher = 0;
    let prober = 0;
    const found = (): boolean => {
      watcher = childRunning(host.pid, 'watcher/main.ts') ?? 0;
      prober = watcher === 0 ? 0 : (childRunning(watcher, 'prober.py') ?? 0);
      return prober !== 0;
    };
    await until(found, 'the watcher and its prober', 20_000);
    await pause(5_000);
    const withIt = await measured({ agent: [host.pid], watcher: [watcher], prober: [prober], valves });
    say(`${volumes} volumes, ${volumes * 2} disks, nobody uses them; share of one core:`);
    say(`  agent    ${without['agent']} before, ${withIt['agent']} with the watching`);
    say(`  watcher  ${withIt['watcher']}   ${privateMiB(watcher)}`);
    say(`  prober   ${withIt['prober']}   ${privateMiB(prober)}`);
    say(`  valves   ${without['valves']} before, ${withIt['valves']} with the watching (image files only)`);
  } finally {
    await host.dispose();
  }
}

/** fio's jobs on one volume: small synced writes, and random reads and writes through a full page cache, all at once. */
function fioArguments(directory: string): string[] {
  // As threads: processes of its own would outlive it when it is killed.
  const common = [
    '--thread',
    '--directory',
    directory,
    '--time_based',
    '--runtime=86400',
    '--output=/dev/null',
    '--size=48M',
  ];
  return [
    ...common,
    '--name=synced',
    '--rw=randwrite',
    '--bs=4k',
    '--fsync=1',
    '--name=mixed',
    '--rw=randrw',
    '--bsrange=4k-256k',
    '--ioengine=psync',
    '--numjobs=2',
    '--name=direct',
    '--rw=randread',
    '--bs=64k',
    '--direct=1',
    '--ioengine=libaio',
    '--iodepth=16',
  ];
}

/** Shell loops as a member's programs would do it, each until it is killed: what fio does not do. */
const LOADS: readonly string[] = [
  'while :; do dd if=/dev/urandom of="$1/large" bs=1M count=180 status=none; sync -f "$1"; rm -f "$1/large"; done',
  'while :; do dd if=/dev/zero of="$1/read" bs=1M count=60 conv=fsync status=none; dd if="$1/read" of=/dev/null bs=64k iflag=direct status=none; done',
  'i=0; mkdir -p "$1/many"; while :; do i=$(( (i + 1) % 500 )); echo "$i" > "$1/many/$i"; rm -f "$1/many/$(( (i + 250) % 500 ))"; done',
];

async function soak({ soakMinutes, say }: HealthBenchOptions): Promise<boolean> {
  const host = new Host();
  const loads: ChildProcess[] = [];
  const names = ['s0', 's1', 's2'];
  const end = performance.now() + soakMinutes * 60_000;
  const counts = { scrubs: 0, rebuilds: 0, rescans: 0 };
  const failures: string[] = [];
  const repeat = async (work: () => Promise<void>): Promise<void> => {
    while (performance.now() < end) {
      await work().catch((error: unknown) => failures.push(String(error)));
      await pause(1_000);
    }
  };
  try {
    await host.ready();
    for (const name of names) await host.order(`create ${name} ${SOAK_IMAGE_BYTES}`);
    await host.order('watch');
    for (const name of names) {
      await runCommand('btrfs', ['quota', 'enable', host.mount(name)], { deadlineMs: 30_000 });
      loads.push(spawn('fio', fioArguments(host.mount(name)), { stdio: 'ignore', detached: true }));
      for (const script of LOADS)
        loads.push(spawn('/bin/sh', ['-c', script, 'sh', host.mount(name)], { stdio: 'ignore', detached: true }));
    }
    say(`Heavy but healthy work on ${names.length} volumes for ${soakMinutes} minutes ...`);
    let turn = 0;
    await Promise.all([
      repeat(async () => {
        // The next one is another volume's turn, whatever becomes of this one.
        const now = turn++;
        await host.order(`${now % 2 === 0 ? 'scrub' : 'replace'} ${names[now % names.length]}`);
        counts[now % 2 === 0 ? 'scrubs' : 'rebuilds'] += 1;
      }),
      repeat(async () => {
        await mustRun('btrfs', ['quota', 'rescan', '-w', host.mount(names[turn % names.length] ?? '')], {
          deadlineMs: 300_000,
        });
        counts.rescans += 1;
      }),
    ]);
    const alarms = host.alarms();
    say(
      `${counts.scrubs} scrubs, ${counts.rebuilds} rebuilds, ${counts.rescans} quota rescans; alarms: ${alarms.length}`,
    );
    for (const alarm of alarms) say(`  ALARM ${alarm}`);
    for (const failure of new Set(failures)) say(`  not done: ${failure}`);
    return alarms.length === 0;
  } finally {
    for (const load of loads) if (load.pid !== undefined) process.kill(-load.pid, 'SIGKILL');
    await until(
      () => loads.every((load) => load.exitCode !== null || load.signalCode !== null),
      'the load ending',
      60_000,
    );
    await host.dispose();
  }
}

/** Answers whether it raised no false alarm. */
export async function benchHealth(options: HealthBenchOptions): Promise<boolean> {
  if (options.soakMinutes > 0) return await soak(options);
  await cost(options);
  return true;
}
