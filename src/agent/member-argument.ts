import { textOf, type MemberPath } from './member-path.ts';

/**
 * The text of a path on a volume, for the arguments of a sandbox or of a throw-away program: a process that waits for the volume instead of
 * us. Never for anything that opens it here. Which files may import this stands in the linter's configuration.
 */
export function asArgument(path: MemberPath): string {
  return textOf(path);
}
