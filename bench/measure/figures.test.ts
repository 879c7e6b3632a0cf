import { describe, expect, it } from 'vitest';
import { judge, readable, renderTable, type Goal } from './figures.ts';

const atLeast: Goal = { of: 'ratio', at: 'least', value: 0.95 };

describe('a figure', () => {
  it('is judged by its ratio to the baseline', () => {
    expect(judge({ name: 'x', unit: '/s', platform: 96, baseline: 100, goal: atLeast })).toMatchObject({
      ratio: 0.96,
      met: true,
    });
    expect(judge({ name: 'x', unit: '/s', platform: 94, baseline: 100, goal: atLeast }).met).toBe(false);
  });

  it('is judged by its own value, or by its difference to the baseline', () => {
    expect(judge({ name: 'x', unit: 'ms', platform: 50, goal: { of: 'platform', at: 'most', value: 50 } }).met).toBe(
      true,
    );
    const goal: Goal = { of: 'difference', at: 'most', value: 50 };
    expect(judge({ name: 'x', unit: 'ms', platform: 449, baseline: 400, goal }).met).toBe(true);
    expect(judge({ name: 'x', unit: 'ms', platform: 451, baseline: 400, goal }).met).toBe(false);
  });

  it('misses a goal that cannot be judged', () => {
    expect(judge({ name: 'x', unit: '/s', platform: 96, goal: atLeast }).met).toBe(false);
    expect(judge({ name: 'x', unit: '/s', platform: 96, baseline: 0, goal: atLeast }).met).toBe(false);
  });

  it('without a goal is neither met nor missed', () => {
    expect(judge({ name: 'x', unit: '', platform: 1 }).met).toBeUndefined();
  });
});

it('writes numbers with three digits', () => {
  expect([0, 0.1234, 1.2345, 12.345, 123.45, 12345.6].map(readable)).toEqual([
    '0',
    '0.123',
    '1.23',
    '12.3',
    '123',
    '12,346',
  ]);
});

it('prints a table in which a missed goal stands out', () => {
  const table = renderTable([
    judge({ name: 'throughput', unit: '/s', platform: 900, baseline: 1000, goal: atLeast }),
    judge({ name: 'own memory', unit: 'MiB', platform: 320, goal: { of: 'platform', at: 'most', value: 350 } }),
  ]);
  expect(table.split('\n')).toEqual([
    'figure      platform  baseline  ratio  goal',
    '----------  --------  --------  -----  ----------  ------',
    'throughput    900 /s  1,000 /s   0.90  >= 0.95 x   MISSED',
    'own memory   320 MiB                   <= 350 MiB  met',
  ]);
});
