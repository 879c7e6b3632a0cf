import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentEventBody } from '../../../protocol/agent.ts';
import { idsOf, layoutOf, readConfiguration } from '../../../runtime/config.ts';
import { createLogger } from '../../../runtime/log.ts';
import { recordOf, writeRecord } from '../../../runtime/process-record.ts';
import type { AgentContext } from '../../context.ts';

export const TEST_HOMES = '/var/tmp/holdfast-test-';
/** In such a home: the process whose test it is. */
export const TEST_OWNER = '.test-owner';

/** A home of its own for one test. What an interrupted run leaves of it is taken away by the next one. */
export function makeHome(): string {
  const home = mkdtempSync(TEST_HOMES);
  const owner = recordOf(process.pid);
  if (owner !== undefined) writeRecord(join(home, TEST_OWNER), owner);
  return home;
}

/**
 * The context of an agent on that home. Copies are not held back unless `rebuildLimit` says so: they would take what a test's machine happens
 * to leave.
 */
export function contextOf(
  home: string,
  onEvent: (event: AgentEventBody) => void = () => undefined,
  rebuildLimit = 'none',
): AgentContext {
  const configuration = readConfiguration({ HOLDFAST_HOME: home, HOLDFAST_REBUILD_LIMIT: rebuildLimit });
  const layout = layoutOf(configuration);
  mkdirSync(layout.agent, { recursive: true, mode: 0o700 });
  const log = createLogger('test');
  log.level = process.env['HOLDFAST_LOG_LEVEL'] ?? 'silent';
  return { configuration, layout, ids: idsOf(configuration.instance), log, emit: onEvent };
}
