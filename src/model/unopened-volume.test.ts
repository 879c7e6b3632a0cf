import { expect, test } from 'vitest';
import { adviceOnUnopened, diagnoseUnopened, UNOPENED_MS } from './unopened-volume.ts';

const SINCE = '2026-01-01T00:00:00.000Z';
const holder = '`backup` (pid 12, running since 2026-01-01 00:00:00 UTC)';

test('it is told when it has lasted, with its reason and with what it is not', () => {
  const unopened = {
    since: SINCE,
    lastedMs: UNOPENED_MS,
    reason: `the kernel keeps it for ${holder}.`,
    heldBy: holder,
  };
  expect(diagnoseUnopened('home1', { ...unopened, lastedMs: UNOPENED_MS - 1 })).toBeUndefined();
  expect(diagnoseUnopened('home1', unopened)).toEqual({
    culprit: { kind: 'volume', volume: 'home1', replica: null, disk: null },
    fault: 'unopened',
    evidence: [`The volume home1 cannot be opened: the kernel keeps it for ${holder}.`],
    ruledOut: [
      'It is not held by a program of the platform: those of its members were ended.',
      'Other volumes do not need it: each is a file system of its own.',
    ],
  });
});

test('a person is told whom to end, or else what stands in the way', () => {
  const held = { since: SINCE, lastedMs: 6_000, reason: 'held.', heldBy: holder };
  expect(adviceOnUnopened('home1', held)).toBe(
    `End ${holder}, or let it leave the volume home1: the volume opens by itself then, within 10 seconds.`,
  );
  expect(adviceOnUnopened('home1', { ...held, reason: 'mount btrfs failed (32).', heldBy: null })).toContain(
    'What stands in the way: mount btrfs failed (32).',
  );
});
