import type { Selectable } from 'kysely';
import { z } from 'zod';
import {
  impactSchema,
  timelineEntrySchema,
  troubleSchema,
  type TimelineEntry,
  type Trouble,
} from '../../protocol/health.ts';
import type { Database, IncidentTable, Severity } from './tables.ts';

/** What the operators were told last. */
const toldSchema = z.object({
  what: z.enum(['opened', 'updated', 'resolved']),
  severity: z.enum(['minor', 'major', 'critical']),
  mustAct: z.string().nullable(),
});
export type Told = z.infer<typeof toldSchema>;

/** An incident as it is kept: the trouble as the agent told it, and what the control plane knows beside it. */
export interface IncidentRecord {
  id: number;
  trouble: Trouble;
  state: 'open' | 'resolved';
  severity: Severity;
  worst: Severity;
  openedAt: string;
  resolvedAt: string | null;
  accounts: string[];
  sites: number;
  requests: z.infer<typeof impactSchema> | null;
  /** The requests have been counted for the last time. */
  counted: boolean;
  entries: TimelineEntry[];
  told: Told | null;
}

export interface IncidentNote {
  at: string;
  by: string;
  text: string;
  public: boolean;
}

function fromRow(row: Selectable<IncidentTable>): IncidentRecord {
  return {
    id: row.id,
    trouble: troubleSchema.parse(JSON.parse(row.record)),
    state: row.state,
    severity: row.severity,
    worst: row.worst,
    openedAt: row.opened_at,
    resolvedAt: row.resolved_at,
    accounts: z.array(z.string()).parse(JSON.parse(row.accounts)),
    sites: row.sites,
    requests: row.requests === null ? null : impactSchema.parse(JSON.parse(row.requests)),
    counted: row.counted === 1,
    entries: z.array(timelineEntrySchema).parse(JSON.parse(row.entries)),
    told: row.told === null ? null : toldSchema.parse(JSON.parse(row.told)),
  };
}

function toRow(record: Omit<IncidentRecord, 'id'>): Omit<Selectable<IncidentTable>, 'id'> {
  return {
    trouble: record.trouble.id,
    state: record.state,
    severity: record.severity,
    worst: record.worst,
    opened_at: record.openedAt,
    resolved_at: record.resolvedAt,
    record: JSON.stringify(record.trouble),
    accounts: JSON.stringify(record.accounts),
    sites: record.sites,
    requests: record.requests && JSON.stringify(record.requests),
    counted: record.counted ? 1 : 0,
    entries: JSON.stringify(record.entries),
    told: record.told && JSON.stringify(record.told),
  };
}

export async function findIncident(database: Database, id: number): Promise<IncidentRecord | undefined> {
  const row = await database.selectFrom('incidents').selectAll().where('id', '=', id).executeTakeFirst();
  return row && fromRow(row);
}

export async function findIncidentOf(database: Database, trouble: string): Promise<IncidentRecord | undefined> {
  const row = await database.selectFrom('incidents').selectAll().where('trouble', '=', trouble).executeTakeFirst();
  return row && fromRow(row);
}

/** Newest first. */
export async function listIncidents(
  database: Database,
  filter: { state?: IncidentRecord['state']; limit: number },
): Promise<IncidentRecord[]> {
  let query = database.selectFrom('incidents').selectAll().orderBy('id', 'desc').limit(filter.limit);
  if (filter.state !== undefined) query = query.where('state', '=', filter.state);
  return (await query.execute()).map(fromRow);
}

/** Those with something left to do: open, not counted to the end, or never told of. */
export async function listUnsettledIncidents(database: Database): Promise<IncidentRecord[]> {
  const rows = await database
    .selectFrom('incidents')
    .selectAll()
    .where((where) => where.or([where('state', '=', 'open'), where('counted', '=', 0), where('told', 'is', null)]))
    .orderBy('id')
    .execute();
  return rows.map(fromRow);
}

/** One trouble, one incident: the one there is already when somebody else was quicker. */
export async function insertIncident(database: Database, record: Omit<IncidentRecord, 'id'>): Promise<IncidentRecord> {
  const row = await database
    .insertInto('incidents')
    .values(toRow(record))
    .onConflict((conflict) => conflict.column('trouble').doNothing())
    .returningAll()
    .executeTakeFirst();
  if (row) return fromRow(row);
  const known = await findIncidentOf(database, record.trouble.id);
  if (!known) throw new Error(`The incident of trouble ${record.trouble.id} is neither new nor known.`);
  return known;
}

export async function updateIncident(database: Database, record: IncidentRecord): Promise<void> {
  await database.updateTable('incidents').set(toRow(record)).where('id', '=', record.id).execute();
}

/** Keeps the newest `keep` incidents, and all that are open. */
export async function trimIncidents(database: Database, keep: number): Promise<void> {
  const oldest = await database
    .selectFrom('incidents')
    .select('id')
    .orderBy('id', 'desc')
    .offset(keep)
    .limit(1)
    .executeTakeFirst();
  if (!oldest) return;
  await database.deleteFrom('incidents').where('id', '<=', oldest.id).where('state', '=', 'resolved').execute();
}

export async function insertNote(database: Database, incident: number, note: IncidentNote): Promise<void> {
  await database
    .insertInto('incident_notes')
    .values({ incident_id: incident, at: note.at, by: note.by, text: note.text, public: note.public ? 1 : 0 })
    .execute();
}

/** Oldest first. */
export async function listNotes(database: Database, incident: number): Promise<IncidentNote[]> {
  const rows = await database
    .selectFrom('incident_notes')
    .selectAll()
    .where('incident_id', '=', incident)
    .orderBy('id')
    .execute();
  return rows.map((row) => ({ at: row.at, by: row.by, text: row.text, public: row.public === 1 }));
}

/** What operators published about open incidents and those resolved since `since`, oldest first. */
export async function listPublicNotes(
  database: Database,
  since: string,
): Promise<{ trouble: string; at: string; text: string }[]> {
  return await database
    .selectFrom('incident_notes')
    .innerJoin('incidents', 'incidents.id', 'incident_notes.incident_id')
    .select(['incidents.trouble as trouble', 'incident_notes.at as at', 'incident_notes.text as text'])
    .where('incident_notes.public', '=', 1)
    .where((where) => where.or([where('incidents.state', '=', 'open'), where('incidents.resolved_at', '>=', since)]))
    .orderBy('incident_notes.id')
    .execute();
}

/** Who is hit when a volume is: its accounts, and the domains of their sites. */
export async function occupantsOf(
  database: Database,
  volume: string,
): Promise<{ accounts: string[]; domains: string[] }> {
  const accounts = await database
    .selectFrom('accounts')
    .select('name')
    .where('volume', '=', volume)
    .orderBy('name')
    .execute();
  const sites = await database
    .selectFrom('sites')
    .innerJoin('accounts', 'accounts.id', 'sites.account_id')
    .select('sites.domain as domain')
    .where('accounts.volume', '=', volume)
    .where('sites.state', '=', 'present')
    .orderBy('sites.domain')
    .execute();
  return { accounts: accounts.map((row) => row.name), domains: sites.map((row) => row.domain) };
}
