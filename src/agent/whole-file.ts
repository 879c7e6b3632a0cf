import { randomBytes } from 'node:crypto';
import { chown, open, readFile, rename, rm } from 'node:fs/promises';

export interface FileOwner {
  uid?: number;
  gid?: number;
  mode: number;
  /** Whether it must survive a power cut; false for what is checked when read and can be made again. */
  durable?: boolean;
}

/** Writes a platform file so that a reader, or a power cut, sees the old one or the new one and never a part. */
export async function writeWhole(path: string, content: string | Buffer, owner: FileOwner): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.new`;
  try {
    const file = await open(temporary, 'wx', owner.mode);
    try {
      await file.writeFile(content);
      await file.chmod(owner.mode);
      if (owner.durable !== false) await file.sync();
    } finally {
      await file.close();
    }
    if (owner.uid !== undefined || owner.gid !== undefined) await chown(temporary, owner.uid ?? 0, owner.gid ?? 0);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
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
