/** Whether the database refused a row because of another one with the same value (PostgreSQL's unique_violation, SQLite's sentence). */
export function isUniqueViolation(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ('code' in error && error.code === '23505') || error.message.includes('UNIQUE constraint failed');
}
