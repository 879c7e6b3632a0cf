import { rm } from 'node:fs/promises';
import { readdir } from 'node:fs/promises';
import { runCommand } from '../../../runtime/command.ts';
import { until } from '../../../runtime/deadline.ts';
import { contextOf } from './context.ts';
import { readOrUndefined } from '../../kernel/files.ts';
import { readMounts } from '../../kernel/mounts.ts';
import { processesNamed } from '../../kernel/processes.ts';

/** Takes away everything a test left under its home: mounts, loop devices, valves, files. By its own handles only. */
export async function removeHome(home: string): Promise<void> {
  const under = (path: string): boolean => path.startsWith(`${home}/`);
  const mine = async (): Promise<string[]> =>
    (await readMounts())
      .map((mount) => mount.mountPoint)
      .filter(under)
      .reverse();
  for (const mount of await mine()) {
    if (mount.endsWith('/mnt')) await runCommand('umount', ['--lazy', mount], { deadlineMs: 10_000 });
  }
  const loops = async (): Promise<string[]> => {
    const found: string[] = [];
    for (const name of await readdir('/sys/block')) {
      const backing = await readOrUndefined(`/sys/block/${name}/loop/backing_file`);
      if (backing !== undefined && under(backing)) found.push(`/dev/${name}`);
    }
    return found;
  };
  for (const loop of await loops()) await runCommand('losetup', ['--detach', loop], { deadlineMs: 10_000 });
  for (const valve of await processesNamed('nbdfuse')) {
    if (valve.arguments.some(under)) process.kill(valve.pid, 'SIGKILL');
  }
  for (const mount of await mine()) await runCommand('umount', ['--lazy', mount], { deadlineMs: 10_000 });
  await until(
    async () => (await mine()).length === 0 && (await loops()).length === 0,
    `the test's mounts under ${home} going away`,
    20_000,
  );
  await rm(contextOf(home).configuration.runDirectory, { recursive: true, force: true });
  await rm(home, { recursive: true, force: true });
}
