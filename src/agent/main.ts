import { rmSync } from 'node:fs';
import { HoldfastError } from '../protocol/errors.ts';
import { followClockOffset } from '../runtime/clock-offset.ts';
import { idsOf, layoutOf, readConfiguration } from '../runtime/config.ts';
import { within } from '../runtime/deadline.ts';
import { EventLog } from '../runtime/events.ts';
import { readIdentity } from '../runtime/identity.ts';
import { createLogger, outliveWith } from '../runtime/log.ts';
import { RpcServer } from '../runtime/rpc-server.ts';
import { composeAgent } from './compose.ts';
import type { AgentContext } from './context.ts';

/** Programs are drained and volumes closed each with deadlines of their own; this bounds the whole. */
const STOP_DEADLINE_MS = 80_000;
/** A start that is under way is let finish before everything is stopped: what it has not taken over yet cannot be stopped. */
const START_DEADLINE_MS = 40_000;

const configuration = readConfiguration();
followClockOffset(configuration.runDirectory);
const layout = layoutOf(configuration);
const ids = idsOf(configuration.instance);
const log = createLogger('agent');
outliveWith(log);
const events = new EventLog();
const context: AgentContext = { configuration, layout, ids, log, emit: (event) => events.emit(event) };

// A promise that nobody waited for is a defect, but members' sites must not pay for it with the agent's restart.
process.on('unhandledRejection', (reason) => {
  log.error(
    { error: reason instanceof Error ? reason : new Error(String(reason)) },
    'a promise failed and nobody had asked',
  );
});

const agent = composeAgent(context);
const server = new RpcServer({
  address: { socketPath: layout.agentSocket },
  groupId: ids.control,
  identity: readIdentity(layout.agent),
  log,
  handlers: agent.handlers,
  readFile: agent.readFile,
  writeFile: agent.writeFile,
  events: (after, signal) => events.read(after, signal),
});

let stopping = false;
let started: Promise<void> = Promise.resolve();
/**
 * `leave`: programs, nginx, valves and mounts stay for the next agent (SIGTERM: an update or a restart).
 * `stop`: everything ends in reverse order (SIGINT: the platform shuts down).
 */
async function stop(how: 'stop' | 'leave'): Promise<void> {
  if (stopping) return;
  stopping = true;
  log.info({ how }, 'stopping');
  if (how === 'stop') {
    await within(START_DEADLINE_MS, 'the start that is under way', started).catch((error: unknown) => {
      log.warn({ error }, 'stopping although the start did not finish');
    });
  }
  try {
    await within(STOP_DEADLINE_MS, 'stopping the agent', agent.stop(how));
    await within(5_000, 'closing the connection to the control plane', server.close());
    rmSync(layout.agentSocket, { force: true });
  } catch (error) {
    log.error({ error: error instanceof HoldfastError ? new Error(error.message) : error }, 'could not stop cleanly');
    process.exit(1);
  }
  process.exit(0);
}
process.on('SIGTERM', () => void stop('leave'));
process.on('SIGINT', () => void stop('stop'));

await server.listen();
started = agent.start();
await started;
log.info({ version: configuration.version }, 'ready');
