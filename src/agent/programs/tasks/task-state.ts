import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { taskRunSchema } from '../../../protocol/tasks.ts';
import type { Logger } from '../../../runtime/log.ts';
import { writeWhole } from '../../../runtime/whole-file.ts';
import { runRecordSchema } from '../run.ts';

/** A run as the agent keeps it. */
const keptRunSchema = taskRunSchema.extend({
  /** Present until its end is recorded. */
  record: runRecordSchema.nullable(),
  /** Why the platform ends it; written before it is asked to. */
  ending: z.enum(['too-long', 'stopped', 'cut-off']).nullable(),
  /** Where its output is: the file below the account's logs, and bytes in it; `to` when it has ended. */
  log: z.object({ file: z.string(), from: z.number(), to: z.number().nullable() }),
});
export type KeptRun = z.infer<typeof keptRunSchema>;

/**
 * All that an agent must not forget of one scheduled task; one file, replaced whole, so that every step is done or not done. A due time is
 * either in `handled` or still owed, and an owed run is in `waiting` or in `runs`: never in both, never in none.
 */
export const taskStateSchema = z.object({
  account: z.string(),
  id: z.number().int(),
  /** Due times up to this moment are decided, milliseconds since 1970. */
  handled: z.number(),
  /** The schedule and switch that `handled` is about, as text: another one begins anew. */
  about: z.string(),
  /** A run that is owed and has not begun. `since`: ISO 8601. */
  waiting: z.object({ due: z.number().nullable(), cause: z.enum(['schedule', 'asked']), since: z.string() }).nullable(),
  lastNumber: z.number().int(),
  /** The newest last. */
  runs: z.array(keptRunSchema),
});
export type TaskState = z.infer<typeof taskStateSchema>;

/** Where the states of tasks lie: <home>/agent/programs/task-states/<account>.<id>.json. */
export interface TaskStates {
  load(): Promise<TaskState[]>;
  /** On disk to stay when it resolves. */
  write(state: TaskState): Promise<void>;
  remove(state: Pick<TaskState, 'account' | 'id'>): Promise<void>;
}

export function createTaskStates(directory: string, log: Logger): TaskStates {
  const fileOf = (state: Pick<TaskState, 'account' | 'id'>): string =>
    join(directory, `${state.account}.${state.id}.json`);
  return {
    load: async () => {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const states: TaskState[] = [];
      for (const name of await readdir(directory)) {
        if (!name.endsWith('.json')) {
          await rm(join(directory, name), { force: true });
          continue;
        }
        try {
          states.push(taskStateSchema.parse(JSON.parse(await readFile(join(directory, name), 'utf8'))));
        } catch (error) {
          // Its task begins anew: what was due while it was unknown is not made up for.
          log.error({ err: error, file: name }, 'what is known of the runs of a task cannot be read and is left out');
        }
      }
      return states;
    },
    write: async (state) => await writeWhole(fileOf(state), JSON.stringify(state)),
    remove: async (state) => await rm(fileOf(state), { force: true }),
  };
}
