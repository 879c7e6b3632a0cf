import { expect, test } from 'vitest';
import { markedAfter } from './connection.ts';
import { DESTINATIONS, destinationsFor } from './navigation.ts';
import { safeReturn } from './session.tsx';
import { matchKeys } from './shortcuts.tsx';

test('after signing in, only addresses inside the pages are taken back to', () => {
  expect(safeReturn('/files/home/alice?x=1')).toBe('/files/home/alice?x=1');
  for (const elsewhere of [
    null,
    '',
    'https://example.org',
    '//example.org',
    '/\\example.org',
    '/sign-in?next=/',
    'javascript:alert(1)',
  ]) {
    expect(safeReturn(elsewhere)).toBe('/');
  }
});

test('members see no page of the operator, and operators without a home none that needs one', () => {
  expect(destinationsFor('member', true).flatMap((group) => group.items.map((item) => item.to))).toEqual([
    '/',
    '/web',
    '/tasks',
    '/files',
    '/account',
  ]);
  const operator = destinationsFor('operator', false).flatMap((group) => group.items.map((item) => item.to));
  expect(operator).not.toContain('/files');
  expect(operator.filter((to) => to === '/web')).toHaveLength(1);
});

test('no two pages that one person sees share a shortcut', () => {
  for (const groups of [
    destinationsFor('member', true),
    destinationsFor('operator', true),
    destinationsFor('operator', false),
  ]) {
    const keys = groups.flatMap((group) => group.items.map((item) => item.key));
    expect(new Set(keys).size).toBe(keys.length);
  }
  expect(DESTINATIONS.length).toBeGreaterThan(1);
});

test('a first key waits for its second', () => {
  expect(matchKeys('g', ['g d', 'n'])).toEqual({ match: undefined, waiting: true });
  expect(matchKeys('g d', ['g d', 'n'])).toEqual({ match: 'g d', waiting: false });
  expect(matchKeys('x', ['g d', 'n'])).toEqual({ match: undefined, waiting: false });
});

test('a page that is marked as old stays so through every break, until something new is heard', () => {
  const silent = { since: 1000, cause: 'silence' } as const;
  expect(markedAfter(null, { kind: 'lost', ...silent })).toEqual(silent);
  const broken = { since: 1000, cause: 'connection' } as const;
  expect(markedAfter(silent, { kind: 'lost', ...broken })).toEqual(broken);
  expect(markedAfter(silent, { kind: 'connecting' })).toEqual(silent);
  expect(markedAfter(broken, { kind: 'live' })).toBeNull();
});

test('a break of a page that was up to date is not marked at once: it may be a blink', () => {
  expect(markedAfter(null, { kind: 'lost', since: 1000, cause: 'connection' })).toBeNull();
});
