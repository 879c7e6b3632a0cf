import { expect, test, vi } from 'vitest';
import { Asking } from './probe.ts';

vi.mock('node:child_process', { spy: true });

test('a process that is held may be asked about for days: nothing of a question stays when it is over', async () => {
  const { spawn } = await import('node:child_process');
  const asking = new Asking('sleep', ['60']);
  for (let time = 0; time < 20; time += 1) expect(await asking.answers(1)).toBe(false);
  const results = vi.mocked(spawn).mock.results;
  expect(results).toHaveLength(1);
  const child = results[0]?.value as ReturnType<typeof spawn>;
  try {
    expect(child.listenerCount('error')).toBe(1);
    expect(child.listenerCount('exit')).toBe(1);
  } finally {
    child.kill('SIGKILL');
  }
});
