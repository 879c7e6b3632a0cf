import { HoldfastError } from '../../../protocol/errors.ts';
import type { ControlContext } from '../../context.ts';
import type { AccountRow } from '../../store/accounts.ts';
import type { Task } from '../../store/tasks.ts';
import { mustFindTask } from '../../tasks/change-task.ts';
import { notFound } from './errors.ts';

/** The task that a client names by its number, in the words that clients compare when there is none. */
export async function taskByNumber(
  context: ControlContext,
  owner: AccountRow,
  kind: Task['kind'],
  id: string,
): Promise<Task> {
  try {
    return await mustFindTask(context, owner, kind, /^\d{1,15}$/.test(id) ? Number(id) : Number.NaN);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'not-found') throw notFound();
    throw error;
  }
}
