import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LogFiles } from './log-files.ts';

let logs: string;
let files: LogFiles;

beforeAll(async () => {
  logs = await mkdtemp(join(tmpdir(), 'holdfast-logs-'));
  await mkdir(join(logs, 'alice'));
  files = new LogFiles(logs);
});

afterAll(async () => await rm(logs, { recursive: true, force: true }));

async function tailOf(text: string, lines: number): Promise<string[]> {
  await writeFile(join(logs, 'alice', 'a.example.error.log'), text);
  return (await files.tail('alice', 'a.example', 'error', lines)).lines;
}

test('one line of megabytes hides no other, and is shown by its beginning', async () => {
  const long = `dump ${'x'.repeat(3_000_000)}`;
  const found = await tailOf(`first\n${long}\nlast\n`, 20);
  expect(found).toHaveLength(3);
  expect([found[0], found[2]]).toEqual(['first', 'last']);
  expect(found[1]?.length).toBeLessThan(5000);
  expect(found[1]).toMatch(/^dump x+ \.\.\. \(this line has 3000005 bytes\)$/);
  // Also where it is the one that is being written.
  expect(await tailOf(`first\n${long}`, 20)).toEqual(['first', found[1]]);
});

test('the last lines are the last lines, whatever they hold', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: fc.constantFrom('a', '', 'ü', ' '), maxLength: 30 }), { maxLength: 30 }),
      fc.boolean(),
      fc.integer({ min: 1, max: 10 }),
      async (lines, ended, wanted) => {
        const text = lines.join('\n') + (ended ? '\n' : '');
        const expected = text.split('\n');
        if (expected.at(-1) === '') expected.pop();
        expect(await tailOf(text, wanted)).toEqual(expected.slice(-wanted));
      },
    ),
    { numRuns: 200 },
  );
});
