import { randomBytes } from 'node:crypto';
import { DRILLS } from '../../model/drills.ts';
import type { DrillRun } from '../../protocol/drills.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { AgentClient } from '../agent-client.ts';
import { Throttle } from '../platform/throttle.ts';
import type { World } from '../platform/world.ts';
import { deleteDrillRun, findDrillRun, listDrillRuns, putDrillRun, trimDrillRuns } from '../store/drills.ts';
import type { Database } from '../store/tables.ts';

/** A runner speaks about twice a second; one that has been silent for this long is gone. */
export const SILENT_MS = 60_000;
/** A runner that has spoken within this time is alive, whatever the agent knows of it. */
const ALIVE_MS = 10_000;
/** Pages are told at most this often of each run. */
const TELL_EVERY_MS = 500;
const RUNS_KEPT = 50;
const RUNNING_AT_MOST = 16;

interface Running {
  run: DrillRun;
  heardAt: number;
}

export interface StartDrill {
  drill: string;
  where: DrillRun['where'];
  reaction: boolean;
}

export function isOver(run: Pick<DrillRun, 'state'>): boolean {
  return run.state === 'passed' || run.state === 'failed' || run.state === 'aborted';
}

interface Parts {
  database: Database;
  agent: AgentClient;
  world: World;
  log: Logger;
  now: () => Date;
  /** Milliseconds of a clock that is never set. */
  elapsed: () => number;
}

/**
 * Drills as the pages see them. A runner is a process of its own that sends its run as it goes: running ones are kept in memory, so a
 * runner that outlives the control plane is simply heard again; finished ones are in the store.
 */
export class DrillRuns {
  readonly #parts: Parts;
  readonly #running = new Map<string, Running>();
  readonly #tell: Throttle<DrillRun>;

  constructor(parts: Parts) {
    this.#parts = parts;
    // The charts are for a drill that is over; a page that watches draws its own.
    this.#tell = new Throttle(TELL_EVERY_MS, ({ series: _series, ...run }) =>
      parts.world.apply({ type: 'drill', run }),
    );
  }

  /** Newest first. */
  async list(): Promise<DrillRun[]> {
    await this.sweep();
    const running = [...this.#running.values()].map(({ run }) => run);
    const known = new Set(running.map((run) => run.id));
    const stored = (await listDrillRuns(this.#parts.database)).filter((run) => !known.has(run.id));
    return [...running, ...stored].sort((a, b) => b.startedAt.localeCompare(a.startedAt));
  }

  /** Throws `not-found`. */
  async get(id: string): Promise<DrillRun> {
    await this.sweep();
    const run = this.#running.get(id)?.run ?? (await findDrillRun(this.#parts.database, id));
    if (!run)
      throw new HoldfastError('not-found', `There is no run "${id}" of a drill. Only the last ${RUNS_KEPT} are kept.`);
    return run;
  }

  /** Throws `not-found` for an unknown drill, `conflict` while another one runs, and whatever the agent answers. */
  async start(wanted: StartDrill): Promise<DrillRun> {
    const definition = DRILLS.find((drill) => drill.name === wanted.drill);
    if (!definition) throw new HoldfastError('not-found', `There is no drill "${wanted.drill}".`, { field: 'drill' });
    await this.sweep();
    const other = [...this.#running.values()][0];
    if (other) {
      throw new HoldfastError(
        'conflict',
        `The drill "${other.run.title}" is running. Wait until it is over, or stop it: two at once would spoil each other's figures.`,
      );
    }
    const startedAt = this.#parts.now().toISOString();
    const run: DrillRun = {
      id: `${definition.name}-${startedAt.slice(0, 19).replaceAll(/[^0-9]/g, '')}-${randomBytes(2).toString('hex')}`,
      drill: definition.name,
      title: definition.title,
      where: wanted.where,
      reaction: wanted.reaction,
      state: 'preparing',
      step: 'The runner is being started.',
      startedAt,
      faultAt: null,
      finishedAt: null,
      volumes: [],
      timeline: [],
      checks: [],
      result: null,
      error: null,
    };
    // Before the agent is asked: the runner may speak before the agent has answered.
    this.#keep(run);
    try {
      const { id, drill, where, reaction } = run;
      await this.#parts.agent.call('drills.start', { id, drill, where, reaction });
    } catch (error) {
      this.#running.delete(run.id);
      throw error;
    }
    this.#tell.push(run.id, run);
    return run;
  }

  /**
   * What the runner says. Throws `conflict` for news of a run that is over (one that was given up for its silence may come back),
   * `limit-reached` when far too many run.
   */
  async put(run: DrillRun): Promise<void> {
    const { database } = this.#parts;
    const known = this.#running.has(run.id);
    const stored = known ? undefined : await findDrillRun(database, run.id);
    if (stored && stored.state !== 'aborted' && !isOver(run)) {
      throw new HoldfastError('conflict', 'This run is over. Start the drill again for another one.');
    }
    if (isOver(run)) {
      await this.#finish(run);
      return;
    }
    if (!known && this.#running.size >= RUNNING_AT_MOST) {
      throw new HoldfastError('limit-reached', 'Too many drills are running. Stop some of them first.');
    }
    if (stored) await deleteDrillRun(database, run.id);
    this.#keep(run);
    this.#tell.push(run.id, run);
  }

  /** Asks the runner to stop and to clean up. Throws `not-found`, or `conflict` for one that only its own terminal can stop. */
  async stop(id: string): Promise<DrillRun> {
    const run = await this.get(id);
    if (isOver(run)) return run;
    const { running } = await this.#parts.agent.call('drills.stop', { id });
    if (running) return run;
    const heardAt = this.#running.get(id)?.heardAt ?? -Infinity;
    if (this.#parts.elapsed() - heardAt < ALIVE_MS) {
      throw new HoldfastError('conflict', 'This drill was started from a command line. Stop it there with Ctrl-C.');
    }
    return await this.#giveUp(run, 'It was stopped; its runner was gone already. What it had made may still be there.');
  }

  /** Gives up runs that have been silent for too long. */
  async sweep(): Promise<void> {
    const now = this.#parts.elapsed();
    for (const { run, heardAt } of this.#running.values()) {
      if (now - heardAt < SILENT_MS) continue;
      await this.#giveUp(run, `Nothing was heard of its runner for ${SILENT_MS / 1000} seconds.`);
    }
  }

  close(): void {
    this.#tell.stop();
  }

  async #giveUp(run: DrillRun, why: string): Promise<DrillRun> {
    this.#parts.log.warn({ drill: run.id, why }, 'a drill is given up');
    const over: DrillRun = { ...run, state: 'aborted', error: why, finishedAt: this.#parts.now().toISOString() };
    await this.#finish(over);
    return over;
  }

  async #finish(run: DrillRun): Promise<void> {
    await putDrillRun(this.#parts.database, { ...run, finishedAt: run.finishedAt ?? this.#parts.now().toISOString() });
    await trimDrillRuns(this.#parts.database, RUNS_KEPT);
    this.#running.delete(run.id);
    this.#tell.push(run.id, run);
  }

  #keep(run: DrillRun): void {
    this.#running.set(run.id, { run, heardAt: this.#parts.elapsed() });
  }
}
