import type { DrillCheck } from '../../protocol/drills.ts';
import { spoken } from '../figures.ts';
import { groupOf } from '../score.ts';
import type { Outcome, Stage } from '../script.ts';

/** How long the platform has to find out that no complete replica answers, before every request must be refused at once. */
export const NOTICE_MS = 5_000;
/** Longest wait for the honest answer once the volume is stopped. */
const AT_ONCE_MS = 1_000;

/** The volume is named, and its members are refused honestly and at once; of the window `stopped`. */
export function honestlyStopped(outcome: Outcome): DrillCheck[] {
  const { volume } = outcome.target;
  const sites = groupOf(outcome, 'stopped', 'affected').kinds.site;
  return [
    {
      what: 'The volume is named',
      target: 'within 5 s',
      measured: outcome.locatedS === null ? 'never' : `${outcome.locatedS.toFixed(2)} s`,
      ok: outcome.locatedS !== null && outcome.locatedS <= 5 && outcome.culprit?.startsWith(volume) === true,
    },
    {
      what: 'Members on it get an honest answer (503 with Retry-After)',
      target: 'all of them',
      measured: `${sites?.refused ?? 0} of ${sites?.requests ?? 0} pages`,
      ok: sites !== undefined && sites.refused === sites.requests && sites.requests > 0,
    },
    {
      what: 'And at once',
      target: `99 % within ${AT_ONCE_MS / 1000} s`,
      measured: spoken(sites?.p99Ms ?? 0),
      ok: sites !== undefined && sites.p99Ms <= AT_ONCE_MS,
    },
  ];
}

/** The hurt volume is open, its members get answers again, and nobody waits. */
export function serves({ observer, witness, target }: Pick<Stage, 'observer' | 'witness' | 'target'>): boolean {
  const load = witness.volumes.find(({ name }) => name === target.volume);
  return (
    observer.status(target.volume)?.state === 'open' &&
    load !== undefined &&
    load.requestsPerSecond > 0 &&
    load.refused === 0 &&
    load.oldestWaitMs < 2_000
  );
}
