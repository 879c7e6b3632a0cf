import { pino } from 'pino';
import { openStore } from '../store/open-store.ts';

// A second process for the store's contract: opens the store at the same moment and leaves again.
const [directory = '', databaseUrl] = process.argv.slice(2);
const store = await openStore({ directory, databaseUrl: databaseUrl || undefined, log: pino({ level: 'silent' }) });
await store.check();
await store.close();
