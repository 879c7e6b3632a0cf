import type { RepairPlan } from '../health.ts';
import type { Operation } from '../volumes.ts';

/** What `volumes.replaceDisk` answers to `dryRun`. Throws a TypeError when it is not that. */
export function planOf(answer: RepairPlan | Operation): RepairPlan {
  if ('summary' in answer) return answer;
  throw new TypeError('A plan was asked for, and a disk is being replaced.');
}

/** What `volumes.replaceDisk` answers otherwise. Throws a TypeError when it is not that. */
export function operationOf(answer: RepairPlan | Operation): Operation {
  if ('kind' in answer) return answer;
  throw new TypeError('A disk was to be replaced, and a plan came.');
}
