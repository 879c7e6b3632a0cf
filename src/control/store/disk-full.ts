const SQLITE_FULL = 13; // https://www.sqlite.org/rescode.html#full
const POSTGRES_DISK_FULL = '53100'; // https://www.postgresql.org/docs/current/errcodes-appendix.html

/** Whether a statement failed because the database's disk has no room. */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { errcode, code } = error as { errcode?: unknown; code?: unknown };
  return errcode === SQLITE_FULL || code === POSTGRES_DISK_FULL || (code === 'ENOSPC' && 'syscall' in error);
}
