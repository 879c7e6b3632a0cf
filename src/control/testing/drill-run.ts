import type { DrillRun } from '../../protocol/drills.ts';

/** A run as its runner would send it. */
export function someDrillRun(id: string, values: Partial<DrillRun> = {}): DrillRun {
  return {
    id,
    drill: 'disk-hang',
    title: 'A disk hangs',
    where: 'scratch',
    reaction: true,
    state: 'running',
    step: 'The disk hangs.',
    startedAt: new Date().toISOString(),
    faultAt: null,
    finishedAt: null,
    volumes: [],
    timeline: [{ atMs: 0, kind: 'fault', text: 'The disk hangs.' }],
    checks: [],
    result: null,
    error: null,
    ...values,
  };
}
