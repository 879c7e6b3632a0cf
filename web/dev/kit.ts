import type { ApiEvent } from '../../src/protocol/api/events.ts';
import type { Session } from '../../src/protocol/browser.ts';
import { type ErrorCode, HoldfastError } from '../../src/protocol/errors.ts';
import { memberPathSchema } from '../../src/protocol/files.ts';
import type { Operation } from '../../src/protocol/volumes.ts';
import type { World } from './scenarios.ts';

/** What the handlers of the stand-in work with. */
export interface Kit {
  world: () => World;
  setWorld: (world: World) => void;
  startWorld: (name: string) => World;
  /** To every page that listens. */
  emit: (event: ApiEvent) => void;
}

export function fail(code: ErrorCode, message: string, field?: string): never {
  throw new HoldfastError(code, message, field === undefined ? {} : { field });
}

export function find<T>(list: readonly T[], matches: (item: T) => boolean): T {
  const item = list.find(matches);
  if (item === undefined) fail('not-found', 'This does not exist (any more).');
  return item;
}

/** Who is signed in. */
export function me({ world }: Kit): NonNullable<Session['account']> {
  const { account } = world().session;
  if (account === null) fail('not-signed-in', 'Please sign in.');
  return account;
}

/** A path that the member has. */
export function pathOf(kit: Kit, value: string): string {
  const path = memberPathSchema.parse(value);
  const roots = [`/home/${me(kit).name}`, '/tmp', '/var/www', '/var/log'];
  if (!roots.some((root) => path === root || path.startsWith(`${root}/`)))
    fail('not-found', `No such file or directory: ${path}`, 'path');
  return path;
}

export function startOperation({ world, emit }: Kit, kind: Operation['kind'], subject: string): Operation {
  const operation: Operation = {
    id: `op-${kind}-${world().operations.length}`,
    kind,
    subject,
    state: 'running',
    progress: 0.05,
    error: null,
    startedAt: new Date().toISOString(),
    finishedAt: null,
    steps: [
      { name: 'Prepare', state: 'done', detail: null },
      { name: 'Work', state: 'running', detail: null },
    ],
  };
  world().operations = [operation, ...world().operations];
  emit({ event: 'operation', data: operation });
  return operation;
}
