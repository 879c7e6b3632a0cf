import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError } from '../../protocol/errors.ts';
import { unifiedControllers } from '../kernel/cgroup-version.ts';
import { sendSignal } from '../kernel/processes.ts';

/** Limits of one program. */
export interface CgroupLimits {
  memoryBytes: number;
  /** Processes and threads. */
  processes: number;
  /** Share under contention, 2 to 10000; counted per account, so that many programs win nothing. */
  cpuWeight: number;
}

export interface CgroupUsage {
  memoryBytes: number;
  /** The most it ever had; null where the kernel does not say (cgroup v2 before Linux 5.19). */
  peakMemoryBytes: number | null;
  processes: number;
  /** How often the kernel stopped a process here for want of memory. */
  memoryKills: number;
  /** Processor time of everything that ever ran here, seconds. */
  cpuSeconds: number;
}

/**
 * Kinds of program whose processor time counts towards the plan. They share a group beside the account's other programs, so that they
 * alone can be set back, and so that what they used is still known when they have ended.
 */
const COUNTED = /^(?:task|always|console|notebook)-/;
/** No account's name has a dot. */
const COUNTED_SUFFIX = '.counted';

/**
 * The cgroups of one instance: `<account>/<program>`, or `<account>.counted/<program>` (see COUNTED). Everything here is repeatable, and everything works on names, so
 * that an agent that knows nothing (it has just started) finds and ends what an earlier one left behind.
 */
export interface Cgroups {
  readonly version: 'v1' | 'v2';
  /** Makes the instance's own cgroups. Throws `set-up-missing` when this machine does not let us. */
  prepare(): Promise<void>;
  /** Makes the cgroup with its limits (or adjusts them); returns the files a process writes its id to. */
  ensure(account: string, program: string, limits: CgroupLimits): Promise<string[]>;
  /** Process ids in it; empty when it does not exist. */
  processes(account: string, program: string): Promise<number[]>;
  /** Figures, or undefined when it does not exist. */
  usage(account: string, program: string): Promise<CgroupUsage | undefined>;
  /** Ends every process with SIGKILL and removes the cgroup. Throws `deadline-passed` when the kernel holds one back. */
  kill(account: string, program: string, deadlineMs: number): Promise<void>;
  /** All that exist. */
  list(): Promise<{ account: string; program: string }[]>;
  /**
   * Processor seconds of every account's counted programs since their group was made, the ended ones among them. `group` names the group:
   * another one began at 0.
   */
  counted(): Promise<{ account: string; seconds: number; group: string }[]>;
  /** Lets an account's counted programs have what nobody else wants (or their share again); holds for programs to come. */
  setBack(account: string, back: boolean, cpuWeight: number): Promise<void>;
  /** Removes what is kept of an account's counted programs; they have ended. */
  forget(account: string): Promise<void>;
  /** Removes the instance's own cgroups when nothing is left in them; otherwise does nothing. */
  leave(): Promise<void>;
}

/**
 * All programs of all accounts together against one ordinary process of the machine (v1), or against one other service
 * (v2). Left at 1, a site that is alone on its account's share would still get no more than a tenth of a machine on which
 * nine other processes run.
 */
const ALL_PROGRAMS_WEIGH = 8;

/** What differs between the versions: which trees there are, what is written into them, how a group is killed. */
interface Hierarchy {
  version: 'v1' | 'v2';
  /** Directories that hold the accounts, one for each controller (v1), or one (v2). */
  roots: readonly string[];
  prepare(): Promise<void>;
  limit(root: string, account: string, program: string, limits: CgroupLimits): Promise<void>;
  /** `group`: the directory that holds the program. */
  usage(group: string, program: string): Promise<Omit<CgroupUsage, 'processes'>>;
  strike(group: string, program: string, pids: readonly number[]): Promise<void>;
  cpuSeconds(group: string): Promise<number>;
  weigh(group: string, cpuWeight: number): Promise<void>;
}

/** The least share there is, and what a set back account's programs have: all others come first. */
const SET_BACK_WEIGHT = 2;

function groupOf(account: string, program: string): string {
  return COUNTED.test(program) ? `${account}${COUNTED_SUFFIX}` : account;
}

const V1_CONTROLLERS = ['memory', 'pids', 'cpu', 'cpuacct', 'freezer'] as const;

/** Detects what the machine has. `root` is /sys/fs/cgroup except in tests. Throws `set-up-missing`. */
export function createCgroups(instance: string, root = '/sys/fs/cgroup'): Cgroups {
  const unified = unifiedControllers(root);
  if (unified !== undefined) {
    const missing = ['memory', 'pids', 'cpu'].filter((controller) => !unified.includes(controller));
    if (missing.length > 0) throw missingControllers(missing);
    return createFrom(v2(root, instance));
  }
  const missing = V1_CONTROLLERS.filter((controller) => !existsSync(join(root, controller, 'cgroup.procs')));
  if (missing.length > 0) throw missingControllers(missing);
  return createFrom(v1(root, instance));
}

function missingControllers(missing: readonly string[]): HoldfastError {
  return new HoldfastError(
    'set-up-missing',
    `This machine has no cgroup controller for ${missing.join(', ')}. Enable it on the kernel's command line, or mount it under /sys/fs/cgroup.`,
  );
}

function v1(root: string, instance: string): Hierarchy {
  const tree = (controller: string): string => join(root, controller, 'holdfast', instance);
  const roots = V1_CONTROLLERS.map(tree);
  return {
    version: 'v1',
    roots,
    prepare: async () => {
      for (const directory of roots) await mkdir(directory, { recursive: true });
      for (const group of [join(root, 'cpu', 'holdfast'), tree('cpu')]) {
        await writeFile(join(group, 'cpu.shares'), String(1024 * ALL_PROGRAMS_WEIGH));
      }
    },
    limit: async (directory, account, program, limits) => {
      const group = join(directory, account, program);
      if (directory === tree('memory')) {
        // The plain limit must never be above the one with swap, so which goes first depends on the direction.
        const swap = join(group, 'memory.memsw.limit_in_bytes');
        const plain = join(group, 'memory.limit_in_bytes');
        const value = String(limits.memoryBytes);
        const swapHere = existsSync(swap);
        try {
          await writeFile(plain, value);
          if (swapHere) await writeFile(swap, value);
        } catch (error) {
          if (!swapHere) throw error;
          await writeFile(swap, value);
          await writeFile(plain, value);
        }
      } else if (directory === tree('pids')) {
        await writeFile(join(group, 'pids.max'), String(limits.processes));
      } else if (directory === tree('cpu')) {
        await writeFile(join(directory, account, 'cpu.shares'), String(Math.max(2, limits.cpuWeight)));
      }
    },
    weigh: async (account, cpuWeight) => {
      await writeFile(join(tree('cpu'), account, 'cpu.shares'), String(Math.max(2, cpuWeight))).catch(ignoreMissing);
    },
    cpuSeconds: async (account) =>
      Number(await readFile(join(tree('cpuacct'), account, 'cpuacct.usage'), 'utf8')) / 1e9,
    usage: async (account, program) => {
      const group = join(tree('memory'), account, program);
      return {
        memoryBytes: Number(await readFile(join(group, 'memory.usage_in_bytes'), 'utf8')),
        peakMemoryBytes: Number(await readFile(join(group, 'memory.max_usage_in_bytes'), 'utf8')),
        memoryKills: fieldOf(await readFile(join(group, 'memory.oom_control'), 'utf8'), 'oom_kill'),
        cpuSeconds: Number(await readFile(join(tree('cpuacct'), account, program, 'cpuacct.usage'), 'utf8')) / 1e9,
      };
    },
    strike: async (account, program, pids) => {
      // Frozen, a fork bomb cannot outrun the list. A process stuck in the kernel never freezes: nothing waits for that.
      const state = join(tree('freezer'), account, program, 'freezer.state');
      await writeFile(state, 'FROZEN').catch(ignoreMissing);
      const frozen = await readProcesses(join(tree('freezer'), account, program));
      for (const pid of new Set([...pids, ...frozen])) sendSignal(pid, 'SIGKILL');
      await writeFile(state, 'THAWED').catch(ignoreMissing);
    },
  };
}

function v2(root: string, instance: string): Hierarchy {
  const top = join(root, 'holdfast', instance);
  const enable = async (directory: string): Promise<void> => {
    try {
      await writeFile(join(directory, 'cgroup.subtree_control'), '+memory +pids +cpu');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
      // cgroup v2 has no processes beside child groups; only the machine's real root is free of that rule.
      throw new HoldfastError(
        'set-up-missing',
        `Limits cannot be set below ${directory}, because processes run in it. In a container, start it with cgroups of the host, or move its processes into a child group.`,
      );
    }
  };
  return {
    version: 'v2',
    roots: [top],
    prepare: async () => {
      await mkdir(top, { recursive: true });
      for (const directory of [root, join(root, 'holdfast'), top]) await enable(directory);
      for (const group of [join(root, 'holdfast'), top])
        await writeFile(join(group, 'cpu.weight'), String(100 * ALL_PROGRAMS_WEIGH));
    },
    limit: async (directory, account, program, limits) => {
      const parent = join(directory, account);
      const group = join(parent, program);
      await writeFile(join(group, 'memory.max'), String(limits.memoryBytes));
      const swap = join(group, 'memory.swap.max');
      if (existsSync(swap)) await writeFile(swap, '0');
      await writeFile(join(group, 'pids.max'), String(limits.processes));
      await writeFile(join(parent, 'cpu.weight'), String(Math.min(10000, Math.max(1, limits.cpuWeight))));
    },
    weigh: async (account, cpuWeight) => {
      const weight = String(Math.min(10000, Math.max(1, cpuWeight)));
      await writeFile(join(top, account, 'cpu.weight'), weight).catch(ignoreMissing);
    },
    cpuSeconds: async (account) => await usageOf(join(top, account)),
    usage: async (account, program) => {
      const group = join(top, account, program);
      const peak = await readFile(join(group, 'memory.peak'), 'utf8').catch((error: unknown) => {
        if (isMissing(error)) return undefined;
        throw error;
      });
      return {
        memoryBytes: Number(await readFile(join(group, 'memory.current'), 'utf8')),
        peakMemoryBytes: peak === undefined ? null : Number(peak),
        memoryKills: fieldOf(await readFile(join(group, 'memory.events'), 'utf8'), 'oom_kill'),
        cpuSeconds: await usageOf(group),
      };
    },
    strike: async (account, program, pids) => {
      const kill = join(top, account, program, 'cgroup.kill');
      // cgroup.kill came with Linux 5.14; before it, killing in rounds does (Debian 12 has 6.1).
      if (existsSync(kill)) await writeFile(kill, '1').catch(ignoreMissing);
      else for (const pid of pids) sendSignal(pid, 'SIGKILL');
    },
  };
}

function createFrom(hierarchy: Hierarchy): Cgroups {
  const { roots } = hierarchy;
  let prepared: Promise<void> | undefined;
  const groupsOf = (account: string, program: string): string[] =>
    roots.map((root) => join(root, groupOf(account, program), program));
  /** Accounts whose counted programs are set back. */
  const back = new Set<string>();

  const processes = async (account: string, program: string): Promise<number[]> => {
    const found = new Set<number>();
    for (const group of groupsOf(account, program)) for (const pid of await readProcesses(group)) found.add(pid);
    return [...found];
  };

  const prepare = async (): Promise<void> => {
    prepared ??= hierarchy.prepare().catch((error: unknown) => {
      prepared = undefined;
      throw error;
    });
    await prepared;
  };

  return {
    version: hierarchy.version,
    prepare,
    ensure: async (account, program, limits) => {
      await prepare();
      const group = groupOf(account, program);
      const cpuWeight = group !== account && back.has(account) ? SET_BACK_WEIGHT : limits.cpuWeight;
      for (const root of roots) {
        await mkdir(join(root, group, program), { recursive: true });
        if (hierarchy.version === 'v2') {
          await writeFile(join(root, group, 'cgroup.subtree_control'), '+memory +pids +cpu');
        }
        await hierarchy.limit(root, group, program, { ...limits, cpuWeight });
      }
      return groupsOf(account, program).map((directory) => join(directory, 'cgroup.procs'));
    },
    processes,
    usage: async (account, program) => {
      try {
        const figures = await hierarchy.usage(groupOf(account, program), program);
        return { ...figures, processes: (await processes(account, program)).length };
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    kill: async (account, program, deadlineMs) => {
      const begun = performance.now();
      const end = begun + deadlineMs;
      // What does not end within a moment waits for its disk, and is asked less often.
      for (let wait = 2; ; wait = Math.min(wait * 2, performance.now() - begun > 500 ? 500 : 50)) {
        const pids = await processes(account, program);
        if (pids.length > 0) await hierarchy.strike(groupOf(account, program), program, pids);
        else if (await removeGroups(groupsOf(account, program))) break;
        if (performance.now() > end) {
          throw new HoldfastError(
            'deadline-passed',
            `Processes of ${account}/${program} do not end; the kernel holds them.`,
            {
              details: pids.map((pid) => `process ${pid}`),
            },
          );
        }
        await pause(wait);
      }
      // The account's own directory goes with its last program; while another is there the kernel refuses. What counts stays.
      if (COUNTED.test(program)) return;
      for (const root of roots) await rmdir(join(root, account)).catch(() => undefined);
    },
    list: async () => {
      const found = new Map<string, { account: string; program: string }>();
      for (const root of roots) {
        for (const group of await directories(root)) {
          const account = group.endsWith(COUNTED_SUFFIX) ? group.slice(0, -COUNTED_SUFFIX.length) : group;
          for (const program of await directories(join(root, group))) {
            found.set(`${account}/${program}`, { account, program });
          }
        }
      }
      return [...found.values()];
    },
    counted: async () => {
      const found: { account: string; seconds: number; group: string }[] = [];
      const [root = ''] = roots;
      for (const name of await directories(root)) {
        if (!name.endsWith(COUNTED_SUFFIX)) continue;
        try {
          const { ino, ctimeMs } = await stat(join(root, name));
          const seconds = await hierarchy.cpuSeconds(name);
          found.push({ account: name.slice(0, -COUNTED_SUFFIX.length), seconds, group: `${ino}-${ctimeMs}` });
        } catch (error) {
          if (!isMissing(error)) throw error;
        }
      }
      return found;
    },
    setBack: async (account, set, cpuWeight) => {
      if (set) back.add(account);
      else back.delete(account);
      await hierarchy.weigh(`${account}${COUNTED_SUFFIX}`, set ? SET_BACK_WEIGHT : cpuWeight);
    },
    forget: async (account) => {
      back.delete(account);
      await removeGroups(roots.map((root) => join(root, `${account}${COUNTED_SUFFIX}`)));
    },
    leave: async () => {
      prepared = undefined;
      for (const root of roots) {
        for (const group of await directories(root))
          if (group.endsWith(COUNTED_SUFFIX)) await rmdir(join(root, group)).catch(() => undefined);
      }
      for (const root of roots) await rmdir(root).catch(() => undefined);
    },
  };
}

async function removeGroups(groups: readonly string[]): Promise<boolean> {
  let gone = true;
  for (const group of groups) {
    try {
      await rmdir(group);
    } catch (error) {
      // EBUSY: an ended process has not been reaped yet.
      if (!isMissing(error)) gone = false;
    }
  }
  return gone;
}

async function readProcesses(group: string): Promise<number[]> {
  try {
    const text = await readFile(join(group, 'cgroup.procs'), 'utf8');
    return text.split('\n').filter((line) => line !== '').map(Number).filter((pid) => pid > 0); // prettier-ignore
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function directories(parent: string): Promise<string[]> {
  try {
    const entries = await readdir(parent, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function fieldOf(text: string, name: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}

/** cgroup v2's own account of processor time, in seconds. */
async function usageOf(group: string): Promise<number> {
  return fieldOf(await readFile(join(group, 'cpu.stat'), 'utf8'), 'usage_usec') / 1e6;
}

function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENODEV';
}

function ignoreMissing(error: unknown): void {
  if (!isMissing(error)) throw error;
}
