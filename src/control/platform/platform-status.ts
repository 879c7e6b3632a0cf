import { notLookedAt } from '../../model/volumes.ts';
import type { AgentOutput } from '../../protocol/agent.ts';
import type { Status } from '../../protocol/browser.ts';
import { within } from '../../runtime/deadline.ts';
import type { ControlContext } from '../context.ts';
import { readClosedVolumes } from '../store/settings.ts';
import type { VolumeStatus } from '../../protocol/volumes.ts';

/**
 * Whether the platform does its work. `ready`: the store answers, the agent is in touch and has the desired state, the
 * gateway answers, and every volume has been tried (one that is in trouble has been; one that is closed has not, unless an
 * operator closed it).
 */
export async function readPlatformStatus(context: ControlContext): Promise<Status> {
  const { world, agent, log } = context;
  let closed = new Set<string>();
  let storeAnswers = true;
  try {
    await context.store.check();
    closed = await readClosedVolumes(context.database);
  } catch (error) {
    storeAnswers = false;
    log.error({ err: error }, 'the store does not answer');
  }
  // Asked now, not remembered: nginx may have died a moment ago, and whoever reads "ready" acts on it.
  const host = world.host === undefined ? undefined : await askHost(context);
  if (host !== undefined) world.host = host;
  const volumes = [...world.volumes.values()].sort((a, b) => a.name.localeCompare(b.name));
  const reachable = agent.reachable() && host !== undefined;
  const gatewayReady = reachable && host.gatewayReady;
  const tried = volumes.length > 0 && volumes.every((volume) => hasBeenTried(volume, closed));
  return {
    // Until the agent has taken up what runs, the volumes are those that were known before.
    ready: storeAnswers && reachable && world.synchronised && world.agentSilentSince === null && gatewayReady && tried,
    version: context.configuration.version,
    agent: reachable ? 'reachable' : 'unreachable',
    gateway: gatewayReady ? 'ready' : 'not-ready',
    supervisor: context.supervisor.view().silentSince === null ? 'watching' : 'silent',
    volumes: volumes.map((volume) => {
      const { name, state, redundancy } = volume;
      return { name, state: notLookedAt(volume) ? 'not looked at yet' : state, redundancy };
    }),
  };
}

/** The agent answers from memory; nobody waits longer for it, whatever holds it up. */
const HOST_MS = 2_000;

async function askHost({ agent, log }: ControlContext): Promise<AgentOutput<'host.status'> | undefined> {
  try {
    return await within(HOST_MS, 'Asking how the host is', agent.call('host.status', {}));
  } catch (error) {
    log.warn({ err: error }, 'the agent did not say how the host is');
    return undefined;
  }
}

function hasBeenTried(volume: VolumeStatus, closed: ReadonlySet<string>): boolean {
  return volume.state !== 'closed' || volume.trouble !== null || volume.wantedOpen === false || closed.has(volume.name);
}
