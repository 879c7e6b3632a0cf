import { expect, it } from 'vitest';
import { descendants, factsOf, parsePss, pssOf } from './memory.ts';

it('reads the proportional memory from smaps_rollup', () => {
  const rollup = `55d5c0000000-7ffd00000000 ---p 00000000 00:00 0                          [rollup]
Rss:              145820 kB
Pss:              120332 kB
Pss_Dirty:         90000 kB
`;
  expect(parsePss(rollup)).toBe(120332 * 1024);
  expect(() => parsePss('Rss: 1 kB')).toThrow('no line "Pss:"');
});

it('knows this process, and none that does not exist', () => {
  expect(pssOf(process.pid)).toBeGreaterThan(1024 * 1024);
  expect(factsOf(process.pid)).toMatchObject({ pid: process.pid, parent: process.ppid });
  expect(pssOf(2 ** 30)).toBeUndefined();
  expect(factsOf(2 ** 30)).toBeUndefined();
});

it('finds a process with everything below it', () => {
  const entry = (pid: number, parent: number) => ({ pid, parent, name: '', arguments: [], cgroup: '' });
  const all = [entry(1, 0), entry(2, 1), entry(3, 2), entry(4, 2), entry(5, 4), entry(6, 1)];
  expect(
    descendants(2, all)
      .map((found) => found.pid)
      .sort((a, b) => a - b),
  ).toEqual([2, 3, 4, 5]);
  expect(descendants(9, all)).toEqual([]);
});
