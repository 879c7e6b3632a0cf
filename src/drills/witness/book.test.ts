import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Book, type Outcome } from './book.ts';
import type { WitnessAccount } from './messages.ts';

function account(name: string, volume: string, role: WitnessAccount['role'] = 'steady'): WitnessAccount {
  return { name, volume, role, domain: `${name}.localhost`, siteId: '0', token: '', password: '', taskId: null };
}

const a = account('anna', 'hurt');
const b = account('ben', 'fine');
const HURT = new Set(['hurt']);
const requests = fc.array(
  fc.record({
    who: fc.constantFrom(a, b),
    due: fc.integer({ min: 0, max: 1000 }),
    took: fc.integer({ min: 0, max: 5000 }),
    outcome: fc.constantFrom<Outcome>('ok', 'refused', 'failed'),
  }),
  { maxLength: 80 },
);

function bookOf(list: readonly { who: WitnessAccount; due: number; took: number; outcome: Outcome }[]): Book {
  const book = new Book();
  for (const { who, due, took, outcome } of list) book.end(book.begin(who, 'site', due), due + took, outcome);
  return book;
}

describe('the book of requests', () => {
  it('puts each request into one window and one group, whatever became of it', () => {
    fc.assert(
      fc.property(requests, fc.integer({ min: 0, max: 1000 }), (list, cut) => {
        const book = bookOf(list);
        const early = book.window({ name: 'early', from: 0, to: cut }, HURT, [], 9_999);
        const late = book.window({ name: 'late', from: cut, to: 1_001 }, HURT, [], 9_999);
        const groups = [early.affected, early.unaffected, late.affected, late.unaffected];
        const sum = (of: (group: (typeof groups)[number]) => number): number =>
          groups.reduce((total, group) => total + of(group), 0);
        expect(sum((group) => group.all.requests)).toBe(list.length);
        expect(sum((group) => group.all.failed)).toBe(list.filter((entry) => entry.outcome === 'failed').length);
        expect(sum((group) => group.all.refused)).toBe(list.filter((entry) => entry.outcome === 'refused').length);
        expect(early.affected.all.requests).toBe(list.filter((entry) => entry.who === a && entry.due < cut).length);
      }),
    );
  });

  it('counts a wait from the moment at which the request was due', () => {
    const book = bookOf([{ who: a, due: 100, took: 4_000, outcome: 'ok' }]);
    const { affected } = book.window({ name: 'all', from: 0, to: 200 }, HURT, [], 9_999);
    expect(affected.all.longestMs).toBe(4_000);
  });

  it('counts what is never answered as a failure that waits until the end', () => {
    const book = new Book();
    book.begin(a, 'write', 10);
    const { affected, unaffected } = book.window({ name: 'all', from: 0, to: 20 }, HURT, [], 60_010);
    expect(affected.all).toMatchObject({ requests: 1, failed: 1, longestMs: 60_000 });
    expect(unaffected.all.requests).toBe(0);
    expect(book.waiting).toBe(1);
  });

  it('leaves out what met a time in which everything was down on purpose, and nothing else', () => {
    fc.assert(
      fc.property(requests, (list) => {
        const dark = { from: 300, to: 600 };
        const met = list.filter((entry) => entry.due < dark.to && entry.due + entry.took > dark.from).length;
        const { affected, unaffected } = bookOf(list).window({ name: 'all', from: 0, to: 1_001 }, HURT, [dark], 9_999);
        expect(affected.all.requests + unaffected.all.requests).toBe(list.length - met);
      }),
    );
  });

  it('compares only the steady streams', () => {
    const book = new Book();
    for (const [who, kind] of [
      [b, 'site'],
      [b, 'write'],
      [b, 'upload'],
      [account('rita', 'fine', 'reloads'), 'site'],
      [account('stan', 'fine', 'starts'), 'start'],
    ] as const)
      book.end(book.begin(who, kind, 1), 2, 'ok');
    const { unaffected } = book.window({ name: 'all', from: 0, to: 10 }, HURT, [], 9_999);
    expect(unaffected.steady.requests).toBe(2);
    expect(unaffected.all.requests).toBe(5);
    expect(unaffected.kinds.start?.requests).toBe(1);
  });

  it('says of each volume who waits now and for how long', () => {
    const book = bookOf([{ who: b, due: 9_000, took: 20, outcome: 'failed' }]);
    book.begin(a, 'site', 7_000);
    book.begin(a, 'site', 9_500);
    expect(book.live(['fine', 'hurt'], 10_000)).toEqual([
      { name: 'fine', waiting: 0, oldestWaitMs: 0, requestsPerSecond: 0.5, failed: 1, refused: 0, p99Ms: 20 },
      { name: 'hurt', waiting: 2, oldestWaitMs: 3_000, requestsPerSecond: 0, failed: 0, refused: 0, p99Ms: 0 },
    ]);
  });
});
