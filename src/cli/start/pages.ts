import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun } from '../../runtime/command.ts';

/** Hash of everything that the built pages depend on. */
function fingerprint(source: string): string {
  const hash = createHash('sha256');
  const visit = (directory: string): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true }).sort((a, b) => a.name.localeCompare(b.name))) {
      if (['node_modules', 'dist', 'dev'].includes(entry.name)) continue;
      const path = join(directory, entry.name);
      if (entry.isDirectory()) visit(path);
      else hash.update(path.slice(source.length)).update('\0').update(readFileSync(path));
    }
  };
  for (const part of ['web', 'src/protocol', 'src/model']) visit(join(source, part));
  hash.update(readFileSync(join(source, 'package-lock.json')));
  return hash.digest('hex');
}

/**
 * Builds the pages into `target` when their sources changed. The old pages stay until the new ones are whole.
 * Returns whether a build was needed.
 */
export async function buildPages(source: string, target: string, say: (line: string) => void): Promise<boolean> {
  const wanted = fingerprint(source);
  const mark = join(target, '.built-from');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return false;
  say('Building the pages');
  const made = `${target}.new`;
  rmSync(made, { recursive: true, force: true });
  await mustRun(
    process.execPath,
    [join(source, 'node_modules/vite/bin/vite.js'), 'build', '--outDir', made, '--emptyOutDir', '--logLevel', 'error'],
    {
      deadlineMs: 300_000,
      directory: join(source, 'web'),
      environment: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: '/nonexistent', NODE_ENV: 'production' },
    },
  );
  writeFileSync(join(made, '.built-from'), wanted);
  const old = `${target}.old`;
  rmSync(old, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  // Files keep their hashed names, so pages that are open in a browser still find their parts in the copy below.
  const previous = join(target, 'assets');
  if (existsSync(previous))
    cpSync(previous, join(made, 'assets'), { recursive: true, force: false, errorOnExist: false });
  renameSync(target, old);
  renameSync(made, target);
  rmSync(old, { recursive: true, force: true });
  return true;
}
