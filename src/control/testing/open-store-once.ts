import { StatementSync } from 'node:sqlite';
import { pino } from 'pino';
import pg from 'pg';
import { openStore } from '../store/open-store.ts';

// A second process for the store's contract: opens the store and leaves again. With a number, it is killed before that statement
// reaches the database, as a power loss or the kernel would end it; it prints nothing then.
const [directory = '', databaseUrl = '', last = '0'] = process.argv.slice(2);

let left = Number(last);
function count(): void {
  if (left === 0) return;
  left -= 1;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
}

/** Counts the calls of a method before they happen. */
function countCalls(prototype: object, name: string): void {
  const original: unknown = Reflect.get(prototype, name);
  if (typeof original !== 'function') throw new Error(`There is no ${name} here to be counted.`);
  Reflect.set(prototype, name, function counted(this: unknown, ...input: unknown[]): unknown {
    count();
    return Reflect.apply(original, this, input);
  });
}
countCalls(StatementSync.prototype, 'run');
countCalls(StatementSync.prototype, 'all');
countCalls(pg.Client.prototype, 'query');

const store = await openStore({ directory, databaseUrl: databaseUrl || undefined, log: pino({ level: 'silent' }) });
await store.check();
await store.close();
process.stdout.write('opened\n');
