import type { ChildProcess } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import type { StartStep } from '../../../model/sites.ts';
import { formatBytes } from '../../../model/words.ts';
import type { AccountSpec, SiteSpec } from '../../../protocol/sites.ts';
import type { Logger } from '../../../runtime/log.ts';
import type { Cgroups } from '../cgroups.ts';
import { accepts, answers, openToGateway } from './sockets.ts';
import { endedInImport, lastWorkerEnd } from './worker-end.ts';

/** Milliseconds. Imports get longest, and all of it together 55 s, so that a wake call of 90 s has room for the wait before it. The first
 * answer is no step of the start: whoever asks for it says how long, see FirstAnswer. */
const DEADLINES: Readonly<Record<'sandbox' | 'interpreter' | 'import' | 'socket', number>> = {
  sandbox: 15_000,
  interpreter: 15_000,
  import: 45_000,
  socket: 20_000,
};
const WHOLE_START = 55_000;
/** Workers that the server has started again during the import. One may be bad luck; so many, and the code ends them. */
const MOST_LOST_WORKERS = 2;
/** Progress of a start as it is told through descriptor 4, and by the process's end. */
export interface Progress {
  reached: Set<string>;
  /** Workers whose Python runs, or ran: more than the site has, when the server has started some again. */
  interpreters: number;
  failed: { step: StartStep; message: string } | undefined;
  /** Its first process has ended; `exited` follows when nothing more can come of its steps. */
  ended: { code: number | null } | undefined;
  exited: { code: number | null; signal: NodeJS.Signals | null } | undefined;
  diagnostics: string;
  /** Resolves at the next change. */
  changed(): Promise<void>;
}

/** Why the server of a command's site does not stay. */
export const INTO_BACKGROUND =
  'The command put its server into the background and ended. Keep it in the foreground: remove a trailing "&" or options like --daemon.';

/** Why a start stopped at a step: a sentence for the owner. */
export class StepError extends Error {
  readonly step: StartStep;
  readonly output: string[];

  constructor(step: StartStep, message: string, output: string[] = []) {
    super(message);
    this.step = step;
    this.output = output;
  }
}

/** Follows descriptor 4, the sandbox's own complaints on descriptor 2, and the end of the process. */
export function watchProgress(child: ChildProcess): Progress {
  let wake: () => void = () => undefined;
  let next = new Promise<void>((resolve) => (wake = resolve));
  const change = (): void => {
    const old = wake;
    next = new Promise<void>((resolve) => (wake = resolve));
    old();
  };
  const progress: Progress = {
    reached: new Set(),
    interpreters: 0,
    failed: undefined,
    ended: undefined,
    exited: undefined,
    diagnostics: '',
    changed: () => next,
  };
  const steps = child.stdio[4];
  let partial = '';
  let bytes = 0;
  if (steps !== null && steps !== undefined && 'on' in steps) {
    steps.on('data', (chunk: Buffer) => {
      // A member's code can write here while it is imported: what it says counts for its own site only, and not without end.
      bytes += chunk.length;
      if (bytes > 64 * 1024) return;
      const lines = (partial + chunk.toString('utf8')).split('\n');
      partial = lines.pop() ?? '';
      for (const line of lines) {
        const [word = '', step = '', message = ''] = line.split('\t');
        if (word === 'interpreter') progress.interpreters += 1;
        if (word !== 'failed') progress.reached.add(word);
        else progress.failed ??= { step: step === 'interpreter' ? 'interpreter' : 'import', message };
      }
      change();
    });
    steps.on('error', () => undefined);
  }
  child.stderr?.on('data', (chunk: Buffer) => {
    if (progress.diagnostics.length < 8192) progress.diagnostics += chunk.toString('utf8');
  });
  child.stderr?.on('error', () => undefined);
  const exited = (code: number | null, signal: NodeJS.Signals | null): void => {
    progress.exited ??= { code, signal };
    change();
  };
  // `close` comes after the last step line; a server that forked away holds the pipe, so `exit` has to do after a moment.
  child.once('close', exited);
  child.once('exit', (code, signal) => {
    progress.ended = { code };
    setTimeout(() => exited(code, signal), 100);
  });
  return progress;
}

/** What came of the platform's own first request, GET /: a status, nothing within the time, or a connection that was broken off. */
export type FirstAnswer = { status: number } | { none: 'late' | 'broken'; waitedMs: number };

/**
 * Waits for each step with its deadline, up to the one at which it listens: that is started. Then, when `askMs` is not 0, sends it a first
 * request and waits so long for the answer, since a program may end, or run out of memory, over it. Throws StepError.
 */
export async function waitUntilItListens(
  ground: { log: Logger; cgroups: Cgroups; serverLines(): Promise<string[]> },
  site: SiteSpec,
  account: AccountSpec,
  progress: Progress,
  socketPath: string,
  program: string,
  askMs: number,
  signal?: AbortSignal,
): Promise<FirstAnswer | undefined> {
  const wholeEnd = performance.now() + WHOLE_START;
  let step: Exclude<StartStep, 'storage'> = 'sandbox';
  const aborted = new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));

  /**
   * Waits for a step; ends early with the sentence that says why it cannot come any more. Returns false when only the first answer has not
   * come in time.
   */
  const waitFor = async (
    name: typeof step,
    done: (leftMs: number) => boolean | Promise<boolean>,
    everyMs: number | undefined,
  ): Promise<boolean> => {
    step = name;
    const end = name === 'answer' ? performance.now() + askMs : Math.min(performance.now() + DEADLINES[name], wholeEnd);
    for (;;) {
      const change = progress.changed();
      if (progress.failed !== undefined) throw new StepError(progress.failed.step, progress.failed.message);
      // What waits in the kernel for its volume does not end when it is killed, and is not waited for.
      if (signal?.aborted === true) throw new StepError(name, 'The start was cut short.');
      // A step that was announced was reached, also when the program has ended since: then the next one failed.
      const announced = name !== 'socket' && name !== 'answer';
      if ((progress.exited === undefined || announced) && (await done(end - performance.now()))) return true;
      if (progress.exited !== undefined) throw await endedEarly(name);
      // The server would start workers again without end, and each would end as the last one did.
      if (name === 'import' && progress.interpreters >= site.workers + MOST_LOST_WORKERS) throw await lostInImport();
      const left = end - performance.now();
      if (left <= 0) {
        if (name === 'answer') return false;
        throw await tooLate(name);
      }
      const timer = new AbortController();
      await Promise.race([
        change,
        aborted,
        pause(Math.min(left, everyMs ?? left), undefined, { signal: timer.signal }).catch(() => undefined),
      ]);
      timer.abort();
    }
  };

  const memoryKilled = async (): Promise<boolean> =>
    ((await ground.cgroups.usage(account.name, program))?.memoryKills ?? 0) > 0;
  const outOfMemory = (): StepError =>
    new StepError(
      step,
      `It needed more than the ${formatBytes(account.limits.memoryBytes)} of memory of the plan and was stopped. Load less at the start, or ask for a plan with more memory.`,
    );

  const lostInImport = async (): Promise<StepError> => {
    if (await memoryKilled()) return outOfMemory();
    return new StepError('import', endedInImport(lastWorkerEnd(await ground.serverLines())));
  };

  const endedEarly = async (name: typeof step): Promise<StepError> => {
    if (progress.failed !== undefined) return new StepError(progress.failed.step, progress.failed.message);
    if (await memoryKilled()) return outOfMemory();
    const code = (progress.exited ?? progress.ended)?.code ?? null;
    if (name === 'sandbox') {
      ground.log.error({ site: site.id, code, diagnostics: progress.diagnostics }, 'a sandbox could not be made');
      return new StepError(
        'sandbox',
        "The sandbox could not be made. Nothing is wrong with the site; the operator finds the reason in the agent's log.",
      );
    }
    if (site.kind === 'command') {
      const left = await ground.cgroups.processes(account.name, program);
      if (left.length > 0 && code === 0) {
        return new StepError(name, INTO_BACKGROUND);
      }
      const how = code === null ? 'was stopped' : `ended with code ${code}`;
      return name === 'answer'
        ? new StepError(
            name,
            `The command opened its socket but ${how} before it answered a request. Its output says why.`,
          )
        : new StepError(name, `The command ${how} before anything listened on $DOMAIN_SOCKET. Its output says why.`);
    }
    if (name === 'import') return await lostInImport();
    return new StepError(name, `The server ended (code ${code ?? 'none'}) at this step. Its output says why.`);
  };

  const tooLate = async (name: Exclude<typeof step, 'answer'>): Promise<StepError> => {
    if (await memoryKilled()) return outOfMemory();
    const seconds = DEADLINES[name] / 1000;
    switch (name) {
      case 'sandbox':
        return new StepError(
          name,
          `The account's files did not answer within ${seconds} s. Try again in a moment; the platform watches the storage.`,
        );
      case 'interpreter':
        return new StepError(
          name,
          `Python did not start within ${seconds} s. Check the virtualenv, and what runs in sitecustomize.`,
        );
      case 'import':
        return new StepError(
          name,
          `Importing the WSGI file took longer than ${seconds} s. Move slow work out of the import, or check for a program that waits for input.`,
        );
      case 'socket':
        return new StepError(
          name,
          site.kind === 'command'
            ? `The command runs, but after ${seconds} s nothing listens on $DOMAIN_SOCKET. Make the server bind that Unix socket, for example: uvicorn --uds $DOMAIN_SOCKET main:app`
            : `The server did not open its socket within ${seconds} s.`,
        );
      default:
        return name satisfies never;
    }
  };

  await waitFor('sandbox', () => progress.reached.has('launched'), undefined);
  if (site.kind === 'wsgi') {
    await waitFor('interpreter', () => progress.reached.has('interpreter'), undefined);
    await waitFor('import', () => progress.reached.has('imported'), undefined);
  }
  await waitFor('socket', async () => (await openToGateway(socketPath)) && (await accepts(socketPath, 2000)), 10);
  let first: FirstAnswer | undefined;
  if (askMs > 0) {
    let broken = false;
    const began = performance.now();
    const answered = await waitFor(
      'answer',
      async (leftMs) => {
        const status = await answers(socketPath, site.domain, Math.max(leftMs, 1));
        broken = status === undefined && performance.now() - began < askMs;
        if (status !== undefined) first = { status };
        // A worker that is stopped for want of memory is started again by its master, and would be without end.
        else if (await memoryKilled()) throw outOfMemory();
        return status !== undefined;
      },
      50,
    );
    if (!answered) first = { none: broken ? 'broken' : 'late', waitedMs: performance.now() - began };
  }
  // What put itself into the background ends with its sandbox.
  if (progress.ended !== undefined && site.kind === 'command') throw await endedEarly(step);
  // A server may replace its socket, or change its mode, between binding and serving.
  await openToGateway(socketPath);
  return first;
}
