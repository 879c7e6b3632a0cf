import { notLookedAt } from '../../model/volumes.ts';
import type { Logger } from '../../runtime/log.ts';
import type { AgentClient } from '../agent-client.ts';
import type { Incidents } from '../incidents/incidents.ts';
import type { DesiredState } from './desired-state.ts';
import type { World } from './world.ts';

interface Parts {
  agent: AgentClient;
  world: World;
  desired: DesiredState;
  incidents: Incidents;
  log: Logger;
}

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;
/** How often everything is looked at anew, in case an event was missed, and host figures (which have no events) grow old. */
const LOOK_EVERY_MS = 30_000;
/** How often the host is asked while its gateway is not ready: a start waits for that, and it has no event. */
const GATEWAY_EVERY_MS = 250;

/** How often a new agent is asked whether it has taken up what runs, and for how long it is waited for: a volume that hangs must not hold up the news of the others. */
const TAKES_UP_EVERY_MS = 250;
const TAKES_UP_MS = 15_000;

type Look = Parameters<World['replace']>[0];

/** Everything the agent knows, read at once; each question has its own deadline. */
async function askAgent(agent: AgentClient): Promise<Look> {
  const [host, volumes, operations, statuses] = await Promise.all([
    agent.call('host.status', {}),
    agent.call('volumes.list', {}),
    agent.call('operations.list', {}),
    agent.call('sites.statuses', {}),
  ]);
  return { host, volumes, operations, statuses };
}

export async function lookAtAgent({ agent, world }: Pick<Parts, 'agent' | 'world'>): Promise<void> {
  world.replace(await askAgent(agent));
}

function hasTakenUp({ host, volumes }: Look): boolean {
  return host.gatewayReady && !volumes.some(notLookedAt);
}

/**
 * A new agent answers before it has taken up the gateway, the volumes and the sites of the one before, all of which serve meanwhile. Until it has,
 * what was known before is nearer to the truth than what it says: the pages keep that, marked as old.
 */
async function takeUp(
  { agent, log }: Parts,
  first: Look,
  connection: AbortController,
  done: (look: Look) => void,
): Promise<void> {
  const last = performance.now() + TAKES_UP_MS;
  let look = first;
  try {
    while (!hasTakenUp(look) && performance.now() < last) {
      await pause(TAKES_UP_EVERY_MS, connection.signal);
      if (connection.signal.aborted) return;
      look = await askAgent(agent);
    }
    done(look);
  } catch (error) {
    log.warn({ err: error }, 'the agent did not answer while it took up what runs');
    connection.abort();
  }
}

/**
 * The agent's troubles, also those that came and went while nobody listened. `complete`: at a new connection, when no event can have
 * overtaken the list. An agent that cannot say is no reason to do without it.
 */
async function lookAtTroubles({ agent, world, incidents, log }: Parts, complete: boolean): Promise<void> {
  try {
    const troubles = await agent.call('troubles.list', {});
    world.replaceTroubles(troubles);
    await incidents.takeAll(troubles, complete);
  } catch (error) {
    log.warn({ err: error }, 'the agent did not say what troubles it has');
  }
}

/**
 * Stays in touch with the agent until `signal` aborts: on each connection looks at everything, tells it the whole desired
 * state, then follows its events; when the connection breaks, begins again.
 */
export async function followAgent(parts: Parts, signal: AbortSignal): Promise<void> {
  const { agent, world, desired, log } = parts;
  let failures = 0;
  /** When the agent started whose news the world has. */
  let known: string | undefined;
  while (!signal.aborted) {
    const connection = new AbortController();
    const stop = (): void => connection.abort();
    signal.addEventListener('abort', stop, { once: true });
    const inTouch = (look: Look): void => {
      if (connection.signal.aborted) return;
      world.replace(look);
      world.agentIsSilent(null);
      known = look.host.startedAt;
    };
    let takingUp = Promise.resolve();
    try {
      const look = await askAgent(agent);
      const isNew = known !== undefined && known !== look.host.startedAt;
      if (isNew) world.agentIsSilent(world.agentSilentSince ?? agent.heardAt() ?? new Date().toISOString());
      else inTouch(look);
      // Before the desired state, which may take long: an incident is there as soon as the agent can be asked.
      await lookAtTroubles(parts, true);
      // Beside the rest: troubles and events of a new agent are heard while it takes up what runs.
      if (isNew) takingUp = takeUp(parts, look, connection, inTouch);
      await desired.everything();
      world.synchronised = true;
      log.info('the agent has the desired state');
      const looking = lookNowAndThen(parts, connection);
      const figures = freshFigures(parts);
      try {
        let last = 0;
        for await (const event of agent.events(last, connection.signal)) {
          last = event.seq;
          failures = 0;
          world.apply(event);
          // Figures have no events; while something is wrong, the pages must not show those of half a minute ago.
          if (event.type === 'trouble') figures.ask();
        }
      } finally {
        connection.abort();
        await Promise.all([looking, takingUp]);
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'no connection to the agent');
      world.agentIsSilent(world.agentSilentSince ?? agent.heardAt() ?? new Date().toISOString());
    } finally {
      world.synchronised = false;
      connection.abort();
      signal.removeEventListener('abort', stop);
    }
    if (signal.aborted) return;
    failures += 1;
    await pause(Math.min(FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 10), LONGEST_WAIT_MS), signal);
  }
}

/** Asks for the volumes' figures, one question at a time; those asked for meanwhile become one more. */
function freshFigures({ agent, world, log }: Parts): { ask(): void } {
  let asking = false;
  let again = false;
  const read = async (): Promise<void> => {
    asking = true;
    try {
      do {
        again = false;
        for (const volume of await agent.call('volumes.list', {})) world.apply({ type: 'volume', volume });
      } while (again);
    } catch (error) {
      log.warn({ err: error }, 'the volumes could not be read anew');
    } finally {
      asking = false;
    }
  };
  return {
    ask() {
      if (asking) again = true;
      else void read();
    },
  };
}

/** Looks again every half minute; a look that fails breaks the connection, so that it is made anew. */
async function lookNowAndThen(parts: Parts, connection: AbortController): Promise<void> {
  const { agent, world, desired, log } = parts;
  let lookAt = performance.now() + LOOK_EVERY_MS;
  for (;;) {
    const left = Math.max(0, lookAt - performance.now());
    await pause(world.host?.gatewayReady === true ? left : Math.min(left, GATEWAY_EVERY_MS), connection.signal);
    if (connection.signal.aborted) return;
    try {
      if (performance.now() < lookAt) {
        world.host = await agent.call('host.status', {});
        continue;
      }
      lookAt = performance.now() + LOOK_EVERY_MS;
      await lookAtAgent(parts);
      await lookAtTroubles(parts, false);
      await desired.unfinished();
    } catch (error) {
      log.warn({ err: error }, 'the agent did not answer');
      connection.abort();
      return;
    }
  }
}

/** Ends early, without an error, when the signal aborts. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done, { once: true });
  });
}
