import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, chown, copyFile, mkdir, open, readdir, rename, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../protocol/errors.ts';
import type { AccountSpec } from '../../protocol/sites.ts';
import { writeWhole } from '../../runtime/whole-file.ts';
import type { AgentContext } from '../context.ts';
import { createCgroups, type Cgroups } from './cgroups.ts';
import { writeEtc } from './etc.ts';
import { sandboxArguments, sandboxEnvironment, type SandboxGround, type SandboxRequest } from './sandbox-arguments.ts';
import { seccompProgram } from './seccomp.ts';

/** asm-generic/fcntl.h */
const O_CLOEXEC = 0o2000000;

/** Starts sandboxes of one instance. */
export interface Sandboxes {
  readonly cgroups: Cgroups;
  /** Where an account's logs are on the host; made (0750 root:account) when missing. Platform storage. */
  logDirectory(account: Pick<AccountSpec, 'name' | 'uid'>): Promise<string>;
  /**
   * Starts a command in a sandbox as a session of its own. `stdio` is Node's, at most 8 entries (up to three more
   * descriptors come after them). The caller watches `exit` and ends it through `end`.
   * Throws `set-up-missing` when bubblewrap is not installed.
   */
  spawn(request: SandboxRequest, stdio: readonly StdioEntry[]): Promise<ChildProcess>;
  /**
   * Runs a throw-away command to its end. Kills its whole cgroup afterwards, and at the deadline (`deadline-passed`).
   */
  run(
    request: Omit<SandboxRequest, 'program' | 'dieWithAgent'>,
    options: { deadlineMs: number; input?: string | Buffer; outputLimit?: number },
  ): Promise<{ code: number | null; stdout: string; stderr: string }>;
  /** Ends everything in a program's cgroup and removes it; see Cgroups.kill. */
  end(account: string, program: string, deadlineMs?: number): Promise<void>;
  /** What did not end at its deadline, and is asked again by `sweep`. */
  lingering(): { account: string; program: string }[];
  /** Tries again to end what did not end at its deadline: the kernel lets go of a process when its disk answers. */
  sweep(): Promise<void>;
}

export interface SandboxesOptions {
  /** Further files of the platform that every sandbox sees below /opt/holdfast. Asked once, before the first start. */
  files?: () => Promise<{ name: string; content: string }[]>;
}

export type StdioEntry = Exclude<StdioOptions, string>[number];

/**
 * Throw-away work is the platform's own, done as the account: serving its files, writing a quickstart. It has this much even where a plan
 * gives a program less, or the owner could not delete the very file that fills the home.
 */
const OWN_WORK = { memoryBytes: 96 * 1024 ** 2, processes: 24 };

/** One try each: what the kernel holds is asked for again at the next sweep. */
const SWEEP_MS = 100;

let jobs = 0;
let starts = 0;

export function createSandboxes(context: AgentContext, extra: SandboxesOptions = {}): Sandboxes {
  const { layout, configuration } = context;
  const cgroups = createCgroups(configuration.instance);
  // Made anew by each agent, in memory: a program starts although the machine's own disk is full.
  const ground = join(configuration.runDirectory, 'sandbox');
  const filterFile = join(ground, 'seccomp.bpf');
  const shim = join(ground, 'shim');
  const inherited = inheritedDescriptors();
  let prepared: Promise<void> | undefined;

  const prepare = async (): Promise<void> => {
    await mkdir(ground, { recursive: true, mode: 0o700 });
    await copyShim(shim);
    for (const { name, content } of (await extra.files?.()) ?? [])
      await writeWhole(join(shim, name), content, { mode: 0o644, durable: false });
    await writeWhole(filterFile, seccompProgram(), { mode: 0o600, durable: false });
  };

  const logDirectory: Sandboxes['logDirectory'] = async (account) => await ensureLogDirectory(layout.logs, account);

  const spawnSandbox: Sandboxes['spawn'] = async (request, stdio) => {
    prepared ??= prepare().catch((error: unknown) => {
      prepared = undefined;
      throw error;
    });
    await prepared;
    const { account } = request;
    const { limits } = account;
    const [etc, logs, procsFiles] = await Promise.all([
      writeEtc(ground, account, configuration.domain),
      logDirectory(account),
      cgroups.ensure(account.name, request.program, {
        memoryBytes: Math.max(limits.memoryBytes, request.dieWithAgent === true ? OWN_WORK.memoryBytes : 0),
        processes: Math.max(limits.processes, request.dieWithAgent === true ? OWN_WORK.processes : 0),
        cpuWeight: limits.cpuWeight,
      }),
    ]);
    const caBundle = join(layout.gateway, 'ca-bundle.pem');
    /** Descriptors of ours after those of the program. */
    const own = request.status === undefined ? 2 : 3;
    const made: SandboxGround = {
      etc,
      logs,
      shim,
      caBundle: existsSync(caBundle) ? caBundle : undefined,
      procsFiles,
      firstDescriptor: stdio.length,
      inherited: inherited.filter((descriptor) => descriptor >= stdio.length + own),
      domain: configuration.domain,
      httpsPort: configuration.httpsPort,
    };
    const { argv, options } = sandboxArguments(request, made);
    const [program, ...rest] = argv as [string, ...string[]];
    // Opened anew for each start: bwrap reads it to the end, and a position is shared by inheritance.
    await using filter = await open(filterFile, 'r');
    const optionsText = options.join('\0') + '\0';
    await using optionsFile = await openText(join(ground, `options-${process.pid}-${++starts}`), optionsText);
    const child = spawn(program, rest, {
      cwd: '/',
      env: sandboxEnvironment(request, made),
      detached: true,
      stdio: [...stdio, filter.fd, optionsFile.fd, ...(request.status === undefined ? [] : [request.status])],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    return child;
  };

  const lingering = new Map<string, { account: string; program: string }>();

  const end: Sandboxes['end'] = async (account, program, deadlineMs = 10_000) => {
    const key = `${account}/${program}`;
    try {
      await cgroups.kill(account, program, deadlineMs);
      lingering.delete(key);
    } catch (error) {
      lingering.set(key, { account, program });
      throw error;
    }
  };

  const sweep: Sandboxes['sweep'] = async () => {
    await Promise.all(
      [...lingering.values()].map(async ({ account, program }) => {
        try {
          await end(account, program, SWEEP_MS);
          context.log.info({ account, program }, 'a program that the kernel had held has ended');
        } catch (error) {
          context.log.debug({ err: error, account, program }, 'the kernel still holds a program');
        }
      }),
    );
  };

  const run: Sandboxes['run'] = async (request, options) => {
    const program = `job-${process.pid}-${++jobs}`;
    const child = await spawnSandbox({ ...request, program, dieWithAgent: true }, ['pipe', 'pipe', 'pipe']);
    const limit = options.outputLimit ?? 1024 * 1024;
    const collect = (stream: NodeJS.ReadableStream | null): (() => string) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      stream?.on('data', (chunk: Buffer) => {
        if (bytes < limit) chunks.push(chunk);
        bytes += chunk.length;
      });
      return () => Buffer.concat(chunks).toString('utf8');
    };
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    // A command that does not read its input ends with an exit code of its own, which says more than EPIPE.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
    let timer: NodeJS.Timeout | undefined;
    try {
      const code = await new Promise<number | null>((resolve, reject) => {
        timer = setTimeout(
          () =>
            reject(
              new HoldfastError(
                'deadline-passed',
                `The account's files did not answer within ${options.deadlineMs} ms.`,
              ),
            ),
          options.deadlineMs,
        );
        child.once('close', resolve);
      });
      return { code, stdout: stdout(), stderr: stderr() };
    } finally {
      clearTimeout(timer);
      child.stdout?.destroy();
      child.stderr?.destroy();
      child.unref();
      // Not awaited to the end when the kernel holds a process back: the caller has its answer, the sweep tries again.
      await end(request.account.name, program, 2_000).catch((error: unknown) =>
        context.log.warn({ err: error, account: request.account.name, program }, 'a throw-away process does not end'),
      );
    }
  };

  return {
    cgroups,
    logDirectory,
    spawn: spawnSandbox,
    run,
    end,
    lingering: () => [...lingering.values()],
    sweep,
  };
}

/**
 * Our scripts, readable by every account whatever the rights of the directory this program was installed to. Files are
 * replaced by renaming: a sandbox that runs keeps the ones it has open.
 */
async function copyShim(to: string, from = join(import.meta.dirname, 'shim')): Promise<void> {
  await mkdir(to, { recursive: true });
  await chmod(to, 0o755);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const { name } = entry;
    if (name.startsWith('.') || name.startsWith('__')) continue;
    if (entry.isDirectory()) {
      await copyShim(join(to, name), join(from, name));
      continue;
    }
    const fresh = join(to, `.${name}.${process.pid}-${++starts}.new`);
    await copyFile(join(from, name), fresh);
    await chmod(fresh, 0o755);
    await rename(fresh, join(to, name));
  }
}

/**
 * Descriptors this process was started with beside the standard ones. Node marks its own as close-on-exec, these are not:
 * without care every sandbox would inherit them, whatever they are.
 */
function inheritedDescriptors(): number[] {
  const found: number[] = [];
  for (const name of readdirSync('/proc/self/fdinfo')) {
    let text: string;
    try {
      text = readFileSync(`/proc/self/fdinfo/${name}`, 'utf8');
    } catch {
      continue; // The descriptor of the listing itself.
    }
    const flags = Number.parseInt(/^flags:\s*(\d+)/m.exec(text)?.[1] ?? '0', 8);
    if (Number(name) > 2 && (flags & O_CLOEXEC) === 0) found.push(Number(name));
  }
  return found;
}

/** A file without a name that holds `text`, open for reading. */
async function openText(path: string, text: string): Promise<FileHandle> {
  await writeFile(path, text, { mode: 0o600 });
  try {
    return await open(path, 'r');
  } finally {
    await rm(path, { force: true });
  }
}

/**
 * Makes <home>/logs/<account>: root writes, the account reads, and the gateway passes through to the access logs it owns
 * (nobody else on the host gets past <home>/logs). Returns its path.
 */
export async function ensureLogDirectory(logs: string, account: Pick<AccountSpec, 'name' | 'uid'>): Promise<string> {
  const directory = join(logs, account.name);
  await mkdir(directory, { recursive: true });
  await chown(directory, 0, account.uid);
  await chmod(directory, 0o751);
  return directory;
}

/** The command of an sftp server inside a sandbox, for the Files part (program `files`, stdio pipes). */
export const SFTP_SERVER: readonly string[] = ['/usr/lib/openssh/sftp-server', '-e', '-l', 'ERROR'];
