import { z } from 'zod';
import { newApiToken } from '../security/secrets.ts';
import { readJson, writeJson } from '../store/settings.ts';
import type { Database } from '../store/tables.ts';

/** What Prometheus shows to be let in; undefined until an operator has made one. */
export async function readMetricsToken(database: Database): Promise<string | undefined> {
  return z
    .string()
    .optional()
    .catch(undefined)
    .parse(await readJson(database, 'metrics-token'));
}

/** A new one; the old one stops working at once. */
export async function renewMetricsToken(database: Database): Promise<string> {
  const token = newApiToken();
  await writeJson(database, 'metrics-token', token);
  return token;
}
