import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addImpact, countImpact, parseImpactLine } from './impact-log.ts';

const counted = (text: string): { delayed: number; failed: number; longestMs: number } => {
  const impact = { delayed: 0, failed: 0, longestMs: 0 };
  const line = parseImpactLine(text);
  if (line !== undefined) addImpact(impact, line);
  return impact;
};

describe('a line of the impact log', () => {
  it.each([
    ['a site that began to answer late', '1.000|a.test|200|2.500|2.400|-', { delayed: 1, failed: 0, longestMs: 2400 }],
    ['a long download that began at once', '1.000|a.test|200|90.000|0.010|-', { delayed: 0, failed: 0, longestMs: 0 }],
    [
      'a visit that woke the site',
      '1.000|a.test|200|2.100|- : 2.000 : 0.020|-',
      { delayed: 0, failed: 0, longestMs: 0 },
    ],
    [
      'a start that took far longer than starts do',
      '1.0|a.test|200|14.0|- : 13.9 : 0.1|-',
      { delayed: 1, failed: 0, longestMs: 13900 },
    ],
    ['an error of the site', '1.000|a.test|500|0.010|0.009|-', { delayed: 0, failed: 1, longestMs: 0 }],
    ['the honest 503 of nginx', '1.000|a.test|503|0.000|-|repair', { delayed: 0, failed: 1, longestMs: 0 }],
    ['the honest 503 of the waker', '1.000|a.test|503|0.004|- : 0.003|repair', { delayed: 0, failed: 1, longestMs: 4 }],
    ['a visitor who gave up waiting', '1.000|a.test|499|8.000|-|-', { delayed: 0, failed: 1, longestMs: 8000 }],
    ['a visitor who left at once', '1.000|a.test|499|0.300|-|-', { delayed: 0, failed: 0, longestMs: 0 }],
  ])('%s', (_what, line, expected) => {
    expect(counted(line)).toEqual(expected);
  });

  it('is left out when it is cut off or nonsense', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseImpactLine(text)));
    expect(parseImpactLine('1.000|a.test|20')).toBeUndefined();
  });
});

describe('counting impact', () => {
  let directory: string;
  let path: string;
  const at = (second: number, domain = 'a.test'): string => `${second}.000|${domain}|200|1.500|1.400|-\n`;

  beforeEach(async () => {
    directory = await mkdtemp('/var/tmp/holdfast-impact-');
    path = join(directory, 'impact.log');
  });
  afterEach(async () => await rm(directory, { recursive: true }));

  it('counts nothing where there is no log', async () => {
    expect(await countImpact(path, new Set(['a.test']), 0, 1e12)).toEqual({ delayed: 0, failed: 0, longestMs: 0 });
  });

  it('counts exactly the requests whose time touches the span, also in a log of many pieces that was turned over', async () => {
    const lines = Array.from({ length: 30_000 }, (_, second) =>
      at(second + 10, second % 3 === 0 ? 'a.test' : 'b.test'),
    );
    await writeFile(path, lines.slice(0, 20_000).join(''));
    await rename(path, `${path}.1`);
    await writeFile(path, lines.slice(20_000).join(''));
    const span = fc.tuple(fc.integer({ min: 0, max: 31_000 }), fc.integer({ min: 0, max: 4_000 }));
    await fc.assert(
      fc.asyncProperty(span, async ([from, length]) => {
        const until = from + length;
        // A line of second s is a request from s - 1.5 to s.
        const expected = lines.filter((_, index) => {
          const second = index + 10;
          return index % 3 === 0 && second >= from && second - 1.5 <= until;
        }).length;
        const { delayed } = await countImpact(path, new Set(['a.test']), from * 1000, until * 1000);
        expect(delayed).toBe(expected);
      }),
      { numRuns: 30 },
    );
  });
});
