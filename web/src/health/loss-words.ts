import { formatClock } from '../format/format.ts';
import type { Loss } from '../frame/connection.ts';

/** One line that is on every page while it is not up to date. */
export function lossLine({ since, cause }: Loss, now: number): string {
  const at = formatClock(new Date(since).toISOString(), now);
  if (cause === 'agent') return `Sites, tasks and storage as of ${at}: the host does not answer.`;
  return `Not up to date since ${at}. ${cause === 'silence' ? 'The control plane does not answer.' : 'Connecting again.'}`;
}

/** What an operator makes of it. */
export function lossStory({ since, cause }: Loss, now: number): string {
  const at = formatClock(new Date(since).toISOString(), now);
  if (cause === 'agent')
    return `The agent of the host has not been heard since ${at}. The supervisor ends and starts one that hangs within 15 seconds; sites that are awake do not need it. If this lasts longer than a minute, look at the agent's log.`;
  const why =
    cause === 'silence'
      ? 'The connection is open, and nothing comes: the control plane hangs, or your own network is away.'
      : 'Either your own network is away or the control plane.';
  return `This page has heard nothing from the platform since ${at}, and keeps trying. ${why} A control plane that ends or hangs is started again by itself; neither websites nor repairs need it. If this lasts longer than a minute, look at the control plane's log.`;
}
