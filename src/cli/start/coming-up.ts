import { HoldfastError } from '../../protocol/errors.ts';
import type { OwnedChild } from './child.ts';

/** A part that ends so often while the platform starts does not come up by being started once more. */
export const MOST_ENDS = 5;

/** Throws `not-ready`, with the part's own last words, when one of them ends again and again. */
export function assertComingUp(
  parts: readonly Pick<OwnedChild, 'name' | 'failures' | 'lastEnd' | 'lastWords' | 'logFile'>[],
): void {
  const bad = parts.find((part) => part.failures >= MOST_ENDS);
  if (bad === undefined) return;
  throw new HoldfastError(
    'not-ready',
    `The ${bad.name} does not come up: it was started ${bad.failures} times, and each time it ${bad.lastEnd}. The end of its output (${bad.logFile}):`,
    { details: bad.lastWords(10) },
  );
}
