import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lineSplitter } from './lines.ts';

function linesOf(chunks: readonly string[], limit?: number): string[] {
  const lines: string[] = [];
  const take = lineSplitter((line) => lines.push(line), limit);
  for (const chunk of chunks) take(chunk);
  return lines;
}

test('however a text is cut into chunks, its lines are the same; empty ones and an unfinished one are not told', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n', 'ü'), maxLength: 60 });
  fc.assert(
    fc.property(text, fc.array(fc.nat({ max: 60 }), { maxLength: 8 }), (whole, cuts) => {
      const at = [0, ...cuts.filter((cut) => cut < whole.length).sort((a, b) => a - b), whole.length];
      const chunks = at.slice(1).map((end, index) => whole.slice(at[index], end));
      const wanted = whole.split('\n').slice(0, -1).filter((line) => line !== ''); // prettier-ignore
      expect(linesOf(chunks)).toEqual(wanted);
    }),
  );
});

test('a line without an end does not fill the memory: it is thrown away, and the next one is told', () => {
  expect(linesOf(['x'.repeat(20), 'y\nnext\n'], 10)).toEqual(['y', 'next']);
});
