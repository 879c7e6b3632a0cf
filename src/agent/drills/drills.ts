import { HoldfastError } from '../../protocol/errors.ts';
import type { AgentHandlers } from '../../protocol/agent.ts';
import type { AgentContext } from '../context.ts';

/** Starts drills, each in a process of its own that outlives the agent (a drill may kill it). */
export function createDrills(_context: AgentContext): Pick<AgentHandlers, 'drills.start' | 'drills.stop'> {
  const later = async (): Promise<never> => {
    throw await Promise.resolve(new HoldfastError('not-ready', 'Drills cannot be started from here yet.'));
  };
  return { 'drills.start': later, 'drills.stop': later };
}
