import { constants } from 'node:fs';
import { chmod, chown, lstat, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * <home>/logs/<account>/: root's, so that the account can neither write, rename nor link there; its group reads; 0751, so
 * that nginx passes through to the access logs, which are its own. Others cannot even come near: <home>/logs is 0710 for
 * the gateway's group, and a sandbox shows its own directory only.
 */
export async function ensureLogDirectory(logs: string, account: string, gid: number | undefined): Promise<string> {
  const directory = join(logs, account);
  await mkdir(directory, { recursive: true, mode: 0o751 });
  const entry = await lstat(directory);
  const group = gid ?? entry.gid;
  if (entry.uid !== 0 || entry.gid !== group) await chown(directory, 0, group);
  if ((entry.mode & 0o7777) !== 0o751) await chmod(directory, 0o751);
  return directory;
}

/** Makes a site's access log when it is missing: owned by nginx's uid, read by the account's group. nginx only appends. */
export async function ensureAccessLog(
  logs: string,
  account: string,
  domain: string,
  gatewayUid: number,
): Promise<void> {
  const directory = await ensureLogDirectory(logs, account, undefined);
  const group = (await lstat(directory)).gid;
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;
  const file = await open(join(directory, `${domain}.access.log`), flags, 0o640);
  try {
    const entry = await file.stat();
    if (entry.uid !== gatewayUid || entry.gid !== group) await file.chown(gatewayUid, group);
    if ((entry.mode & 0o777) !== 0o640) await file.chmod(0o640);
  } finally {
    await file.close();
  }
}
