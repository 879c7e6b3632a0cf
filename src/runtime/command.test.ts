import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { abandonedChildren, mustRun, runCommand } from './command.ts';
import { until } from './deadline.ts';

describe('running a command', () => {
  it('gives its output, its exit code, and passes arguments untouched', async () => {
    const result = await runCommand('printf', ['%s\\n', '$(id); `id` "quoted"'], { deadlineMs: 20_000 });
    expect(result).toMatchObject({ code: 0, stdout: '$(id); `id` "quoted"\n' });
  });

  it('passes input and reports lines as they come', async () => {
    const lines: string[] = [];
    await runCommand('cat', [], { deadlineMs: 20_000, input: 'one\ntwo\nthree', onLine: (line) => lines.push(line) });
    expect(lines).toEqual(['one', 'two', 'three']);
  });

  it('says which program is missing', async () => {
    await expect(runCommand('/nonexistent/program', [], { deadlineMs: 20_000 })).rejects.toMatchObject({
      code: 'set-up-missing',
    });
  });

  it('ends a command at its deadline', async () => {
    await expect(runCommand('sleep', ['600'], { deadlineMs: 50 })).rejects.toMatchObject({ code: 'deadline-passed' });
    await until(() => abandonedChildren.size === 0, 'the end of the killed child', 20_000);
  });

  it('ends a command early, and says so when it is gone', async () => {
    const stop = new AbortController();
    const pids: number[] = [];
    const running = runCommand('sh', ['-c', 'echo $$; exec sleep 600'], {
      deadlineMs: 60_000,
      signal: stop.signal,
      onLine: (line) => {
        pids.push(Number(line));
        stop.abort(new Error('enough'));
      },
    });
    await expect(running).rejects.toThrow('enough');
    expect(pids.map((pid) => existsSync(`/proc/${pid}`))).toEqual([false]);
    expect(abandonedChildren.size).toBe(0);
    await expect(runCommand('sleep', ['600'], { deadlineMs: 60_000, signal: stop.signal })).rejects.toThrow('enough');
  });

  it('gives the last lines of what went wrong', async () => {
    await expect(mustRun('ls', ['/nonexistent-directory'], { deadlineMs: 20_000 })).rejects.toMatchObject({
      code: 'command-failed',
      details: [expect.stringContaining('nonexistent-directory')],
    });
  });
});
