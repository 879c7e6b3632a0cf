import { expect, test } from 'vitest';
import { endedInImport, lastWorkerEnd } from './worker-end.ts';

test.each([
  [
    'Sat Nov 28 22:35:49 2026 - DAMN ! worker 1 (pid: 16) died, killed by signal 9 :( trying respawn ...',
    { signal: 'SIGKILL' },
  ],
  ['!!! uWSGI process 26 got Segmentation Fault !!!', { signal: 'SIGSEGV' }],
  ['!!! uWSGI process 26 got Floating Point Exception !!!', { signal: 'SIGFPE' }],
  ['[2026-11-28 22:35:49 +0000] [2] [WARNING] Worker with pid 7 was terminated due to signal 6', { signal: 'SIGABRT' }],
  ['[2026-11-28 22:35:49 +0000] [2] [ERROR] Worker (pid:7) was sent SIGSEGV!', { signal: 'SIGSEGV' }],
  ['[2026-11-28 22:35:49 +0000] [2] [ERROR] Worker (pid:7) exited with code 1', { code: 1 }],
  ['Sat Nov 28 22:35:49 2026 - DAMN ! worker 1 (pid: 16) died :( trying respawn ...', undefined],
  ['Sat Nov 28 22:36:09 2026 - OOPS ! failed loading app in worker 1 (pid 3)', { code: 22 }],
  ["gunicorn.errors.HaltServer: <HaltServer 'Worker failed to boot.' 3>", { code: 3 }],
])('how a worker ended is read from its server: %s', (line, end) => {
  expect(lastWorkerEnd(['a line before', line, 'Respawned uWSGI worker 1 (new pid: 17)'])).toEqual(end);
});

test('a crash of compiled code is told as one, an exit with its code, and one of unknown cause without either', () => {
  expect(endedInImport({ signal: 'SIGSEGV' })).toMatch(/imported the WSGI file \(SIGSEGV\)\. .*C extension/);
  expect(endedInImport({ code: 3 })).toMatch(/imported the WSGI file \(exit code 3\)\. .*os\._exit/);
  expect(endedInImport(undefined)).toMatch(/imported the WSGI file\. .*os\._exit/);
});
