import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { DRILLS } from '../../model/drills.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import type { AgentHandlers } from '../../protocol/agent.ts';
import { isAlive, recordOf, signalRecorded, type ProcessRecord } from '../../runtime/process-record.ts';
import type { AgentContext } from '../context.ts';

/** What a runner writes of itself into the directory of its run; also one that was started from a command line does. */
const ownerSchema = z.object({ runner: z.object({ pid: z.number(), startTime: z.string() }) });

/** Starts drills, each in a process of its own that outlives the agent (a drill may kill it). */
export function createDrills(context: AgentContext): Pick<AgentHandlers, 'drills.start' | 'drills.stop'> {
  const { configuration, log } = context;
  const directoryOf = (id: string): string => {
    if (!/^[a-z0-9-]{1,80}$/.test(id)) throw new HoldfastError('input-invalid', `"${id}" is not the name of a run.`);
    return join(configuration.home, 'drills', id);
  };
  /** Runners that were started here and may not have written their record yet. */
  const started = new Map<string, ProcessRecord>();

  const runnerOf = (id: string): ProcessRecord | undefined => {
    const here = started.get(id);
    if (here !== undefined && isAlive(here)) return here;
    started.delete(id);
    let text: string;
    try {
      text = readFileSync(join(directoryOf(id), 'owner.json'), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined; // It never began, or it is over.
      throw error;
    }
    const { runner } = ownerSchema.parse(JSON.parse(text));
    return isAlive(runner) ? runner : undefined;
  };

  return {
    'drills.start': async ({ id, drill, where, reaction }) => {
      if (!DRILLS.some((entry) => entry.name === drill))
        throw new HoldfastError('not-found', `There is no drill "${drill}".`);
      const directory = directoryOf(id);
      if (runnerOf(id) !== undefined) return {};
      mkdirSync(directory, { recursive: true, mode: 0o711 });
      const output = openSync(join(directory, 'runner.log'), 'a', 0o600);
      const flags = ['--id', id, ...(where === 'here' ? ['--here'] : []), ...(reaction ? [] : ['--no-reaction'])];
      const program = join(configuration.source, 'src/drills/main.ts');
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, drill, ...flags], {
        cwd: '/',
        detached: true,
        stdio: ['ignore', output, output],
        env: {
          PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
          LC_ALL: 'C.UTF-8',
          HOLDFAST_HOME: configuration.home,
          HOLDFAST_HTTP_PORT: String(configuration.httpPort),
          HOLDFAST_HTTPS_PORT: String(configuration.httpsPort),
          HOLDFAST_DOMAIN: configuration.domain,
        },
      });
      closeSync(output);
      await new Promise<void>((resolve, reject) => {
        child.on('spawn', resolve);
        child.on('error', (error) =>
          reject(new HoldfastError('command-failed', `The drill could not be started: ${error.message}`)),
        );
      });
      child.on('exit', (code, signal) => log.info({ drill, run: id, code, signal }, 'a drill is over'));
      child.unref();
      const record = child.pid === undefined ? undefined : recordOf(child.pid);
      if (record !== undefined) started.set(id, record);
      log.info({ drill, run: id, where, reaction, pid: child.pid }, 'a drill was started');
      return {};
    },
    /** SIGINT asks the runner to stop and to remove what it made; it is told again each time. */
    'drills.stop': async ({ id }) => {
      const runner = runnerOf(id);
      return await Promise.resolve({ running: runner !== undefined && signalRecorded(runner, 'SIGINT') });
    },
  };
}
