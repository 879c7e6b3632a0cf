import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLogger } from '../../runtime/log.ts';
import { toHoldfastError } from '../api/errors.ts';
import { openStore, type Store } from './open-store.ts';

let directory: string;
let store: Store;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-reserve-'));
  store = await openStore({ directory, databaseUrl: undefined, log: createLogger('test') });
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const sizes = (): number[] => ['', '-wal'].map((end) => statSync(join(directory, `holdfast.sqlite${end}`)).size);
const write = async (bytes: number): Promise<void> => {
  await sql`insert into filling values (zeroblob(${sql.lit(bytes)}))`.execute(store.database);
};

test('megabytes can be written without either file growing, and a full disk is told as what it is', async () => {
  await sql`create table filling (filler blob)`.execute(store.database);
  const before = sizes();
  // No page more than there are now, as on a disk without room.
  const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(store.database);
  await sql`pragma max_page_count = ${sql.lit(rows[0]?.page_count ?? 0)}`.execute(store.database);
  for (let piece = 0; piece < 30; piece += 1) await write(100_000);
  expect(sizes()).toEqual(before);
  const failed: unknown = await write(8_000_000).catch((error: unknown) => error);
  expect(toHoldfastError(failed)).toMatchObject({ code: 'no-room', status: 507 });
});
