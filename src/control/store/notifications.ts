import type { Selectable } from 'kysely';
import type { Incident } from '../../protocol/incidents.ts';
import type { Database, NotificationTable } from './tables.ts';

export type NotificationRow = Selectable<NotificationTable>;
export type Channel = NotificationTable['channel'];

export async function insertNotification(database: Database, values: Omit<NotificationRow, 'id'>): Promise<void> {
  await database.insertInto('notifications').values(values).execute();
}

/** What waits to be sent on a channel, oldest first. */
export async function listWaiting(database: Database, channel: Channel, limit: number): Promise<NotificationRow[]> {
  return await database
    .selectFrom('notifications')
    .selectAll()
    .where('state', '=', 'waiting')
    .where('channel', '=', channel)
    .orderBy('id')
    .limit(limit)
    .execute();
}

export async function recordOutcome(
  database: Database,
  id: number,
  state: NotificationRow['state'],
  outcome: string,
): Promise<void> {
  await database.updateTable('notifications').set({ state, outcome }).where('id', '=', id).execute();
}

/** What was told of an incident and what became of it, oldest first. */
export async function listNotifications(database: Database, incident: number): Promise<Incident['notifications']> {
  return await database
    .selectFrom('notifications')
    .select(['at', 'channel', 'what', 'outcome'])
    .where('incident_id', '=', incident)
    .orderBy('id')
    .execute();
}

/** How many there are by channel and state. */
export async function countNotifications(
  database: Database,
): Promise<{ channel: Channel; state: NotificationRow['state']; count: number }[]> {
  const rows = await database
    .selectFrom('notifications')
    .select(({ fn }) => ['channel', 'state', fn.countAll<number | string>().as('count')])
    .groupBy(['channel', 'state'])
    .execute();
  return rows.map((row) => ({ channel: row.channel, state: row.state, count: Number(row.count) }));
}
