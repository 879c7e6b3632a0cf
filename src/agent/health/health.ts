import { HoldfastError } from '../../protocol/errors.ts';
import type { AgentContext, HealthPart, StoragePart } from '../context.ts';

/** Watcher, diagnosis and reaction of this host. */
export function createHealth(_context: AgentContext, _parts: { storage: StoragePart }): HealthPart {
  const later = async (): Promise<never> => {
    throw await Promise.resolve(new HoldfastError('not-ready', 'The health of this host is not watched yet.'));
  };
  return {
    start: async () => await Promise.resolve(),
    stop: async () => await Promise.resolve(),
    handlers: {
      'health.now': later,
      'health.setReaction': later,
      'troubles.list': async () => await Promise.resolve([]),
      'status.notes': async () => await Promise.resolve({}),
    },
  };
}
