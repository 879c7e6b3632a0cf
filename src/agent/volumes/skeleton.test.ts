import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runCommand } from '../../runtime/command.ts';

it("greets an interactive shell with PythonAnywhere's prompt, which deployment clients look for", async () => {
  const home = join(import.meta.dirname, 'skeleton');
  const script = 'cd; printf "%s" "${PS1@P}"';
  const result = await runCommand('bash', ['--noprofile', '--rcfile', join(home, 'bashrc'), '-i', '-c', script], {
    deadlineMs: 20_000,
    environment: { ...process.env, HOME: home },
  });
  // A member's shell ends it with "$", root's with "#".
  expect(result.stdout).toMatch(/^\d\d:\d\d ~ [$#] $/);
});
