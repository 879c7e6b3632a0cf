import { mkdirSync } from 'node:fs';
import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { HoldfastError } from '../protocol/errors.ts';
import { layoutOf, type Configuration } from '../runtime/config.ts';
import { within } from '../runtime/deadline.ts';
import type { Logger } from '../runtime/log.ts';
import { PulseWatch } from '../runtime/pulse.ts';
import { writeWhole } from '../runtime/whole-file.ts';
import { ensureOperator } from './accounts/ensure-operator.ts';
import { keepFirstPassword } from './accounts/first-password.ts';
import { SESSION_IDLE_MS } from './accounts/sign-in.ts';
import type { AgentClient } from './agent-client.ts';
import { buildServer } from './api/server.ts';
import type { ControlContext } from './context.ts';
import { DrillRuns } from './drills/drill-runs.ts';
import { Incidents, type IncidentTimes } from './incidents/incidents.ts';
import { Notifier, type NotifierTimes } from './notifications/notifier.ts';
import { Compartments, storageRepair } from '../runtime/compartments.ts';
import { Breaker, FilePlaces } from './platform/compartments.ts';
import { DesiredState } from './platform/desired-state.ts';
import { followAgent } from './platform/follow-agent.ts';
import { HealthSource } from './platform/host-health.ts';
import { World } from './platform/world.ts';
import { LoginThrottle, PER_ACCOUNT, PER_ADDRESS } from './security/login-throttle.ts';
import { RequestThrottle } from './security/request-throttle.ts';
import { newApiToken } from './security/secrets.ts';
import { trimAudit } from './store/audit.ts';
import { trimIncidents } from './store/incidents.ts';
import { openStore } from './store/open-store.ts';
import { deleteEndedSessions } from './store/sessions.ts';

export interface ControlOptions {
  configuration: Configuration;
  log: Logger;
  agent: AgentClient;
  listen: { socketPath: string } | { port: number };
}

/** File calls of one volume at the same time, and those that may wait: a page sends a handful. */
const FILE_CALLS = {
  volume: { atOnce: 8, waiting: 32, waitMs: 10_000 },
  member: { atOnce: 4, waiting: 16, waitMs: 10_000 },
};
/** Uploads and downloads of one volume at the same time; the next is told to come back. */
const FILE_STREAMS = { volume: { atOnce: 16, waiting: 0 }, member: { atOnce: 6, waiting: 0 } };
/** Reloads of one volume's sites; the agent has start slots of its own, so these only bound who waits for it. */
const RELOADS = { atOnce: 16, waiting: 64, waitMs: 60_000 };
const LOG_CALLS = { atOnce: 8, waiting: 32, waitMs: 5_000 };
/** A home whose size was not told in time is not asked for again this soon. */
const USAGE_REST_MS = 5_000;
const HOUSEKEEPING_EVERY_MS = 3_600_000;
const AUDIT_ENTRIES_KEPT = 100_000;
const INCIDENTS_KEPT = 5_000;

/** The parts without the server; also what tests start with. */
export async function openControl(
  options: Omit<ControlOptions, 'listen'> & {
    /** A test's clock; both clocks follow it. */
    now?: () => Date;
    incidentTimes?: IncidentTimes;
    notifierTimes?: NotifierTimes;
  },
): Promise<{ context: ControlContext; server: FastifyInstance }> {
  const { configuration, log, agent } = options;
  const directory = layoutOf(configuration).control;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const store = await openStore({ directory, databaseUrl: configuration.databaseUrl, log });
  const { database } = store;
  const world = new World();
  const now = options.now ?? (() => new Date());
  const elapsed = options.now === undefined ? () => performance.now() : () => now().getTime();
  const refusal = (volume: string): HoldfastError | undefined =>
    world.serviceOf(volume) === 'stopped' ? storageRepair() : undefined;
  const notifier = new Notifier({
    database,
    configuration,
    log,
    now,
    ...(options.notifierTimes === undefined ? {} : { times: options.notifierTimes }),
  });
  const context: ControlContext = {
    configuration,
    log,
    store,
    database,
    agent,
    world,
    desired: new DesiredState({ database, agent, world, log }),
    health: new HealthSource({ agent, log }),
    supervisor: new PulseWatch(configuration.runDirectory),
    drills: new DrillRuns({ database, agent, world, log, now, elapsed }),
    incidents: new Incidents({
      database,
      agent,
      world,
      news: notifier,
      log,
      now,
      elapsed,
      ...(options.incidentTimes === undefined ? {} : { times: options.incidentTimes }),
    }),
    notifier,
    fileCalls: new FilePlaces(FILE_CALLS, refusal),
    fileStreams: new FilePlaces(FILE_STREAMS, refusal),
    reloads: new Compartments(RELOADS),
    logCalls: new Compartments(LOG_CALLS, logsBusy),
    usage: new Breaker(USAGE_REST_MS),
    loginsByAccount: new LoginThrottle(PER_ACCOUNT),
    loginsByAddress: new LoginThrottle(PER_ADDRESS),
    requests: new RequestThrottle(),
    now,
    elapsed,
  };
  try {
    await keepFirstPassword(context, await ensureOperator(context));
    const server = await buildServer(context);
    const operatorToken = newApiToken();
    await writeWhole(join(directory, 'operator-token'), `${operatorToken}\n`);
    server.operatorToken = operatorToken;
    return { context, server };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/**
 * Starts the control plane: opens the store, makes sure of the operator, listens, and stays in touch with the agent. It
 * answers at once, agent or not. Writes <home>/control/operator-token (for the command line) and, until the operator has
 * chosen a password, <home>/control/first-password.json.
 */
export async function startControl(options: ControlOptions): Promise<{ stop(): Promise<void> }> {
  const { context, server } = await openControl(options);
  const { log } = context;
  const stopping = new AbortController();
  if ('socketPath' in options.listen) {
    // A process that was killed leaves its socket behind.
    await rm(options.listen.socketPath, { force: true });
    await server.listen({ path: options.listen.socketPath });
    await chmod(options.listen.socketPath, 0o660);
  } else {
    await server.listen({ port: options.listen.port, host: '127.0.0.1' });
  }
  context.incidents.start();
  context.notifier.start();
  context.supervisor.start();
  const following = followAgent(context, stopping.signal);
  const housekeeping = setInterval(() => {
    keepHouse(context).catch((error: unknown) => log.error({ err: error }, 'old sessions could not be removed'));
  }, HOUSEKEEPING_EVERY_MS);
  housekeeping.unref();
  return {
    async stop() {
      clearInterval(housekeeping);
      context.supervisor.stop();
      stopping.abort();
      await within(5_000, 'Closing the connections', server.close()).catch((error: unknown) => {
        log.warn({ err: error }, 'connections were still open');
      });
      await within(5_000, 'Leaving the agent', following).catch((error: unknown) => {
        log.warn({ err: error }, 'the agent still had a question');
      });
      await within(5_000, 'Ending what is under way', stopWork(context)).catch((error: unknown) => {
        log.warn({ err: error }, 'incidents or notifications were still being written');
      });
      await context.store.close();
    },
  };
}

/** What works by itself in the background; also for tests. */
export async function stopWork(context: ControlContext): Promise<void> {
  context.desired.stop();
  context.drills.close();
  await Promise.all([context.incidents.stop(), context.notifier.stop()]);
}

function logsBusy(): HoldfastError {
  return new HoldfastError('too-many-requests', 'Too many logs are being read at once. Please try again in a moment.', {
    retryAfterSeconds: 5,
  });
}

async function keepHouse(context: ControlContext): Promise<void> {
  const now = context.now();
  const idleSince = new Date(now.getTime() - SESSION_IDLE_MS);
  await deleteEndedSessions(context.database, now.toISOString(), idleSince.toISOString());
  await trimAudit(context.database, AUDIT_ENTRIES_KEPT);
  await trimIncidents(context.database, INCIDENTS_KEPT);
  await context.drills.sweep();
}
