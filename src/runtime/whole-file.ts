import { randomBytes } from 'node:crypto';
import { chown, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Files of the platform's own, never on a volume: what is asked here may wait for the machine's own disk and for no other. */
export interface FileOwner {
  mode: number;
  uid?: number;
  gid?: number;
  /** Whether it must survive a power cut; false for what a reboot voids anyway, or what is checked when read and can be made again. */
  durable?: boolean;
}

/** What only root, or the process itself, reads. */
const PRIVATE: FileOwner = { mode: 0o600 };

/**
 * Writes a file so that a reader, or a power cut, sees the old one or the new one and never a part: another name, fsync, rename, fsync of the
 * directory. Once it resolves it is there to stay, unless `durable` is false.
 */
export async function writeWhole(path: string, content: string | Buffer, owner: FileOwner = PRIVATE): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.new`;
  const durable = owner.durable !== false;
  try {
    const file = await open(temporary, 'wx', owner.mode);
    try {
      await file.writeFile(content);
      await file.chmod(owner.mode);
      if (durable) await file.sync();
    } finally {
      await file.close();
    }
    if (owner.uid !== undefined || owner.gid !== undefined) await chown(temporary, owner.uid ?? 0, owner.gid ?? 0);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  if (durable) await syncDirectory(dirname(path));
}

/** Like writeWhole, but leaves a file alone that holds this content already. Returns whether it wrote. */
export async function writeIfChanged(path: string, content: string, owner: FileOwner): Promise<boolean> {
  try {
    if ((await readFile(path, 'utf8')) === content) return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  await writeWhole(path, content, owner);
  return true;
}

/** Removes a file so that it stays removed after a power cut. One that is not there is fine. */
export async function removeDurably(path: string): Promise<void> {
  await rm(path, { force: true });
  await syncDirectory(dirname(path));
}

/** The parsed content, or undefined when there is no such file. A file that is not JSON throws: it names the path. */
export async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`The platform's record ${path} is damaged.`, { cause });
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
