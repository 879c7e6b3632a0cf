import { expect, test } from 'vitest';
import type { DrillRun } from '../../../src/protocol/drills.ts';
import type { HostHealth } from '../../../src/protocol/health.ts';
import { addDrill, addHealth, curvesOf, HEALTH_WINDOW_MS, type HealthHistory } from './history.ts';

const START = Date.parse('2026-11-23T04:00:00Z');

function host(seconds: number, ...names: string[]): HostHealth {
  return {
    at: new Date(START + seconds * 1000).toISOString(), name: 'host-1', condition: 'healthy', reaction: true, watcherGapMs: 1, pressure: null, cores: 2,
    memoryBytes: 1, memoryFreeBytes: 1, stuck: [],
    disks: names.map((disk) => ({
      disk, device: null, volume: 'home1', replica: 'r1', condition: 'healthy', inFlight: seconds, stalledMs: 0, readsPerSecond: 0, writesPerSecond: 0,
      readBytesPerSecond: 2, writtenBytesPerSecond: 3, latencyMs: null, probeMs: null,
    })),
  }; // prettier-ignore
}

const run: DrillRun = {
  id: 'x', drill: 'disk-hang', title: '', where: 'scratch', reaction: true, state: 'running', step: '', startedAt: new Date(START).toISOString(),
  faultAt: new Date(START + 10_000).toISOString(), finishedAt: null, timeline: [], checks: [], result: null, error: null,
  volumes: [{ name: 'home1', state: 'open', redundancy: 'full', progress: null, replicas: [], accounts: 1, waiting: 2, oldestWaitMs: 5, requestsPerSecond: 7, failed: 0, p99Ms: 9 }],
}; // prettier-ignore

test('keeps the last minutes of every disk, and forgets a disk that is gone', () => {
  let history: HealthHistory = {};
  for (let second = 0; second <= 400; second += 1)
    history = addHealth(history, second < 100 ? host(second, '/dev/sdb', '/dev/sdc') : host(second, '/dev/sdb'));
  expect(Object.keys(history)).toEqual(['/dev/sdb']);
  const samples = history['/dev/sdb'] ?? [];
  expect(samples.at(-1)).toEqual({ at: START + 400_000, inFlight: 400, latencyMs: null, bytesPerSecond: 5 });
  expect((samples.at(-1)?.at ?? 0) - (samples[0]?.at ?? 0)).toBeLessThanOrEqual(HEALTH_WINDOW_MS);
});

test('a late or repeated view of the host changes nothing', () => {
  const history = addHealth(addHealth({}, host(5, '/dev/sdb')), host(5, '/dev/sdb'));
  expect(history['/dev/sdb']).toHaveLength(1);
  expect(addHealth(history, host(3, '/dev/sdb'))['/dev/sdb']).toHaveLength(1);
  expect(addHealth(history, { ...host(3, '/dev/sdb'), at: 'never' })).toBe(history);
});

test('curves of a drill are told by the time after the fault', () => {
  const curves = addDrill(addDrill({}, run, START + 9000), run, START + 12_000);
  expect(curvesOf(run, curves)['home1']).toEqual([[-1000, 7, 9, 2], [2000, 7, 9, 2]]); // prettier-ignore
  expect(curvesOf({ ...run, faultAt: null }, curves)['home1']?.[0]?.[0]).toBe(9000);
  expect(curvesOf(run, undefined)).toEqual({});
});

test("the runner's own curves are preferred, and no zeroes are drawn after the load has ended", () => {
  const series: DrillRun['series'] = [{ volume: 'home1', points: [[0, 1, 2, 3]] }];
  expect(curvesOf({ ...run, series }, addDrill({}, run, START))).toEqual({ home1: [[0, 1, 2, 3]] });
  expect(addDrill({}, { ...run, state: 'scoring' }, START)).toEqual({});
});
