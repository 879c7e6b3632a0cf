import { randomUUID } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { journeyProgress } from '../../model/journey-progress.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import { operationSchema, type Operation } from '../../protocol/volumes.ts';
import type { Logger } from '../../runtime/log.ts';
import { readJson, removeDurably, writeWhole } from '../../runtime/whole-file.ts';
import { JourneyInterrupted, type Journey, type StepReport } from './journey.ts';

const journalSchema = z.object({
  format: z.literal(1),
  operation: operationSchema,
  input: z.record(z.string(), z.unknown()),
});

/** What an operation needs to be walked again after a crash. */
export type OperationInput = Record<string, unknown>;
export type OperationWork = (journey: Journey) => Promise<void>;

/** Finished operations that are kept to be looked at. */
const KEPT = 50;
/** Sentences about what an operation met; one that goes on meeting the same says it once. */
const MOST_NOTES = 20;
/** Progress is told at most this often. */
const TELL_EVERY_MS = 500;

/**
 * The agent's long pieces of work. Each has a journal file (<home>/agent/operations/<id>.json) that is written before the
 * work begins and after every step; what is still `running` in it at the start is walked again.
 */
export class Operations {
  readonly #directory: string;
  readonly #log: Logger;
  readonly #tell: (operation: Operation) => void;
  readonly #all = new Map<string, { operation: Operation; input: OperationInput }>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #endings = new Map<string, AbortController>();
  readonly #stopping = new AbortController();

  constructor(directory: string, log: Logger, tell: (operation: Operation) => void) {
    this.#directory = directory;
    this.#log = log;
    this.#tell = tell;
  }

  /** Reads the journals; answers the operations that were cut off. A damaged journal is reported and left where it is. */
  async load(): Promise<Array<{ operation: Operation; input: OperationInput }>> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    for (const file of await readdir(this.#directory)) {
      if (!file.endsWith('.json')) continue;
      try {
        const { operation, input } = journalSchema.parse(await readJson(join(this.#directory, file)));
        this.#all.set(operation.id, { operation, input });
      } catch (error) {
        this.#log.error({ file, error }, 'an operation journal cannot be read');
      }
    }
    await this.#prune();
    return [...this.#all.values()].filter(({ operation }) => operation.state === 'running');
  }

  list(): Operation[] {
    return [...this.#all.values()]
      .map(({ operation }) => structuredClone(operation))
      .sort((a, b) => b.startedAt.localeCompare(a.startedAt));
  }

  /** The running operation on a subject, if any. */
  runningOn(subject: string): Operation | undefined {
    for (const { operation } of this.#all.values()) {
      if (operation.subject === subject && operation.state === 'running') return operation;
    }
    return undefined;
  }

  /** Throws `volume-in-use` while another operation works on this subject. */
  assertFree(subject: string): void {
    const running = this.runningOn(subject);
    if (running === undefined) return;
    throw new HoldfastError(
      'volume-in-use',
      `Another operation is running on ${subject} (${running.kind}). Wait until it is done.`,
    );
  }

  /** Journals a new operation and starts it. `work` must be repeatable. */
  async begin(
    kind: Operation['kind'],
    subject: string,
    input: OperationInput,
    work: OperationWork,
  ): Promise<Operation> {
    this.assertFree(subject);
    const operation: Operation = {
      id: randomUUID(),
      kind,
      subject,
      state: 'running',
      progress: null,
      steps: [],
      error: null,
      startedAt: new Date().toISOString(),
      finishedAt: null,
    };
    this.#all.set(operation.id, { operation, input });
    try {
      await this.#save(operation);
    } catch (error) {
      this.#all.delete(operation.id);
      throw error;
    }
    this.resume(operation, work);
    return structuredClone(operation);
  }

  /** Walks an operation (again), in the background. */
  resume(operation: Operation, work: OperationWork): void {
    const run = this.#walk(operation, work).catch((error: unknown) => {
      this.#log.error({ operation: operation.id, error }, 'an operation could not be journaled');
    });
    this.#running.set(operation.id, run);
    void run.finally(() => {
      this.#running.delete(operation.id);
      this.#endings.delete(operation.id);
    });
  }

  /** Ends a running operation where it can be ended, for a reason in one sentence; answers when it has ended. */
  async interrupt(id: string, reason: string): Promise<void> {
    this.#endings.get(id)?.abort(reason);
    await this.#running.get(id);
  }

  /** Waits for one operation to end; for tests and for work that follows on it. */
  async ended(id: string): Promise<Operation | undefined> {
    await this.#running.get(id);
    return this.#all.get(id)?.operation;
  }

  /** Asks all running work to stop where it can go on later, and waits for that. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled(this.#running.values());
  }

  async #walk(operation: Operation, work: OperationWork): Promise<void> {
    try {
      await work(this.#journey(operation));
      for (const step of operation.steps) if (step.state === 'waiting') step.state = 'skipped';
      operation.state = 'done';
      operation.progress = 1;
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      const ended = this.#endings.get(operation.id)?.signal;
      if (error instanceof JourneyInterrupted && ended?.aborted !== true) return;
      this.#log.error(
        { operation: operation.id, kind: operation.kind, subject: operation.subject, error },
        'operation failed',
      );
      operation.state = 'failed';
      if (ended?.aborted === true) {
        operation.error = String(ended.reason);
        operation.errorCode = 'conflict';
      } else {
        operation.error = sentenceOf(error);
        operation.errorCode = error instanceof HoldfastError ? error.code : 'internal';
      }
    }
    operation.finishedAt = new Date().toISOString();
    await this.#save(operation);
  }

  #journey(operation: Operation): Journey {
    let told = 0;
    // One that was cut off is walked again from its beginning: the steps are the same ones.
    const walked = new Set<string>();
    // It only goes forward: what was told once is not taken back because a step turned out to be none, or more.
    let most = 0;
    const measure = (fraction: number | null): void => {
      const now = journeyProgress(operation.steps, fraction);
      most = Math.max(most, now ?? 0);
      operation.progress = now === null && most === 0 ? null : most;
    };
    const ending = new AbortController();
    this.#endings.set(operation.id, ending);
    return {
      signal: AbortSignal.any([this.#stopping.signal, ending.signal]),
      plan: (names) => {
        for (const name of names)
          if (!operation.steps.some((step) => step.name === name))
            operation.steps.push({ name, state: 'waiting', detail: null });
      },
      step: async (name, work) => {
        let step = operation.steps.find(
          (candidate) => candidate.name === name && (candidate.state !== 'done' || !walked.has(name)),
        );
        walked.add(name);
        if (step === undefined) operation.steps.push((step = { name, state: 'running', detail: null }));
        step.state = 'running';
        measure(null);
        await this.#save(operation);
        const report: StepReport = {
          progress: (fraction) => {
            measure(fraction);
            if (performance.now() - told < TELL_EVERY_MS) return;
            told = performance.now();
            this.#tell(structuredClone(operation));
          },
          detail: (text) => (step.detail = text),
          note: (sentence) => {
            const notes = (operation.notes ??= []);
            if (notes.includes(sentence) || notes.length >= MOST_NOTES) return;
            notes.push(sentence);
            this.#tell(structuredClone(operation));
          },
          pace: (pace) => (operation.pace = pace),
          skip: (reason) => {
            step.state = 'skipped';
            step.detail = reason;
          },
        };
        try {
          const result = await work(report);
          if (step.state === 'running') step.state = 'done';
          await this.#save(operation);
          return result;
        } catch (error) {
          const ended = ending.signal.aborted;
          if ((ended || !(error instanceof JourneyInterrupted)) && !this.#stopping.signal.aborted) {
            step.state = 'failed';
            step.detail = ended ? String(ending.signal.reason) : error instanceof Error ? error.message : String(error);
            await this.#save(operation);
          }
          throw error;
        }
      },
    };
  }

  async #save(operation: Operation): Promise<void> {
    const entry = this.#all.get(operation.id);
    if (entry === undefined) return;
    await writeWhole(
      join(this.#directory, `${operation.id}.json`),
      JSON.stringify({ format: 1, operation, input: entry.input }),
    );
    this.#tell(structuredClone(operation));
  }

  async #prune(): Promise<void> {
    const finished = this.list().filter((operation) => operation.state !== 'running');
    for (const operation of finished.slice(KEPT)) {
      this.#all.delete(operation.id);
      await removeDurably(join(this.#directory, `${operation.id}.json`));
    }
  }
}

function sentenceOf(error: unknown): string {
  if (error instanceof HoldfastError) return [error.message, ...(error.details ?? [])].join('\n');
  return "Something unexpected happened; see the agent's log.";
}
