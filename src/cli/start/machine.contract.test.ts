import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../../runtime/command.ts';

/** What the check of the machine says where /dev holds only these files. */
async function checkWithDevices(make: string): Promise<string> {
  const script = `
    const { checkMachine } = await import(${JSON.stringify(join(import.meta.dirname, 'checks.ts'))});
    try { checkMachine(); console.log('fine'); } catch (error) { console.log(error.code, error.message); }
  `;
  const result = await runCommand(
    'unshare',
    ['--mount', '--propagation', 'private', 'sh', '-ec', `mount -t tmpfs none /dev; ${make}; exec "$@"`, 'sh'].concat([
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      '--input-type=module',
      '--eval',
      script,
    ]),
    { deadlineMs: 60_000 },
  );
  return result.stdout + result.stderr;
}

test.each([
  ['without loop devices', ':', /^set-up-missing .*no loop devices.*modprobe loop/],
  ['without FUSE', 'touch /dev/loop-control', /^set-up-missing .*no FUSE.*modprobe fuse/],
  ['with both', 'touch /dev/loop-control /dev/fuse', /^fine$/m],
])(
  'a machine %s is told so before anything is made',
  async (_what, make, answer) => {
    expect(await checkWithDevices(make)).toMatch(answer);
  },
  60_000,
);
