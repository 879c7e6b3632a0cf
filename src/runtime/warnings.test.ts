import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'holdfast-warnings-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Runs a program whose standard error, and output unless it is kept, lie on a disk without room (full(4)). */
function onFullDisk(program: string, output: 'full' | 'kept' = 'full'): { code: number | null; output: string } {
  const full = openSync('/dev/full', 'w');
  const path = join(directory, 'output');
  const kept = openSync(path, 'w');
  try {
    const { status } = spawnSync(process.execPath, ['--input-type=module-typescript', '--eval', program], {
      cwd: import.meta.dirname,
      env: {},
      stdio: ['ignore', output === 'full' ? full : kept, full],
      timeout: 20_000,
    });
    return { code: status, output: readFileSync(path, 'utf8') };
  } finally {
    closeSync(full);
    closeSync(kept);
  }
}

const LATER = 'setTimeout(() => process.exit(42), 100);';
const WARN = "process.emitWarning('too many listeners', 'MaxListenersExceededWarning');";

test('a warning that cannot be written ends no process that outlives its streams', () => {
  // So it is without.
  expect(onFullDisk(`process.stderr.write("no"); ${LATER}`).code).not.toBe(42);
  const outlives = "import { outliveStreams } from './warnings.ts'; outliveStreams(() => process.stderr.write('no'));";
  expect(onFullDisk(`${outlives} ${WARN} ${LATER}`).code).toBe(42);
  expect(onFullDisk(`${outlives} process.stdout.write('no'); process.stderr.write('no'); ${LATER}`).code).toBe(42);
});

test("a logger's process says its warnings in its log", () => {
  const program = `import { createLogger, outliveWith } from './log.ts'; outliveWith(createLogger('test')); ${WARN} ${LATER}`;
  const { code, output } = onFullDisk(program, 'kept');
  expect(code).toBe(42);
  expect(output.trim().split('\n')).toHaveLength(1);
  expect(JSON.parse(output)).toMatchObject({
    process: 'test',
    msg: 'a warning of Node',
    error: { stack: expect.stringMatching(/^MaxListenersExceededWarning: too many listeners/) },
  });
});

test('the supervisor outlives them as well', () => {
  const program = `import { endWithReader, outliveReader } from '../cli/pipes.ts'; endWithReader(); outliveReader();`;
  expect(onFullDisk(`${program} ${WARN} process.stdout.write('no'); ${LATER}`).code).toBe(42);
});
