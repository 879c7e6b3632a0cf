import type { Configuration } from '../runtime/config.ts';
import type { Logger } from '../runtime/log.ts';
import type { PulseWatch } from '../runtime/pulse.ts';
import type { AgentClient } from './agent-client.ts';
import type { DrillRuns } from './drills/drill-runs.ts';
import type { Incidents } from './incidents/incidents.ts';
import type { Notifier } from './notifications/notifier.ts';
import type { Compartments } from '../runtime/compartments.ts';
import type { Breaker, FilePlaces } from './platform/compartments.ts';
import type { DesiredState } from './platform/desired-state.ts';
import type { HealthSource } from './platform/host-health.ts';
import type { World } from './platform/world.ts';
import type { LoginThrottle } from './security/login-throttle.ts';
import type { RequestThrottle } from './security/request-throttle.ts';
import type { Store } from './store/open-store.ts';
import type { Database } from './store/tables.ts';

/** What every use case of the control plane is given. */
export interface ControlContext {
  configuration: Configuration;
  log: Logger;
  store: Store;
  /** store.database */
  database: Database;
  agent: AgentClient;
  world: World;
  desired: DesiredState;
  health: HealthSource;
  drills: DrillRuns;
  /** Whether the one who starts the parts again is there. */
  supervisor: PulseWatch;
  incidents: Incidents;
  notifier: Notifier;
  /** Places for calls and for streams that touch files, one set per volume, a share of it per member. */
  fileCalls: FilePlaces;
  fileStreams: FilePlaces;
  /** Reloads, and looks into logs, one set of places per volume. */
  reloads: Compartments;
  logCalls: Compartments;
  /** Which volumes have just not said how full a home is. */
  usage: Breaker;
  loginsByAccount: LoginThrottle;
  loginsByAddress: LoginThrottle;
  requests: RequestThrottle;
  /** The time of day, which may be set; for what people read. */
  now: () => Date;
  /** Milliseconds of a clock that is never set, for waits and caps. */
  elapsed: () => number;
}

/** Who acts: for owner checks and for the audit log. */
export interface Actor {
  /** `alice`, or `operator (command line)`. */
  name: string;
  /** Where the request came from; `local` for the command line on the platform's own machine. */
  address: string;
}
