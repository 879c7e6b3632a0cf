import { isIP } from 'node:net';
import { z } from 'zod';
import { HoldfastError } from '../../protocol/errors.ts';
import { notificationSettingsSchema, type NotificationSettings } from '../../protocol/incidents.ts';
import type { Configuration } from '../../runtime/config.ts';
import { readJson, writeJson } from '../store/settings.ts';
import type { Database } from '../store/tables.ts';
import { checkWebhookUrl } from './destination.ts';

const secretsSchema = z.object({ webhook: z.string().optional(), email: z.string().optional() });

/** With the secrets: for whoever sends, and for nobody else. */
export async function readNotificationSettings(database: Database): Promise<NotificationSettings> {
  const stored = notificationSettingsSchema
    .catch({ webhook: null, email: null })
    .parse(await readJson(database, 'notifications'));
  const secrets = secretsSchema.catch({}).parse(await readJson(database, 'notification-secrets'));
  const { webhook, email } = stored;
  return {
    webhook: webhook && { url: webhook.url, ...(secrets.webhook === undefined ? {} : { secret: secrets.webhook }) },
    email: email && { ...email, ...(secrets.email === undefined ? {} : { password: secrets.email }) },
  };
}

/** What may be shown: whether there is a secret, never the secret. */
export function withoutSecrets({ webhook, email }: NotificationSettings): NotificationSettings {
  return {
    webhook: webhook && { url: webhook.url, hasSecret: webhook.secret !== undefined },
    email: email && {
      host: email.host,
      port: email.port,
      security: email.security,
      username: email.username,
      hasPassword: email.password !== undefined,
      from: email.from,
      to: email.to,
    },
  };
}

/** Throws `input-invalid` with the field. A secret that is left out is kept, but never sent to another server than it was given for. */
export async function changeNotificationSettings(
  database: Database,
  configuration: Configuration,
  wanted: NotificationSettings,
): Promise<NotificationSettings> {
  const before = await readNotificationSettings(database);
  const webhook = wanted.webhook && checkedWebhook(wanted.webhook, before.webhook, configuration);
  const email = wanted.email && checkedEmail(wanted.email, before.email);
  const after: NotificationSettings = { webhook, email };
  const plain = withoutSecrets(after);
  await database.transaction().execute(async (transaction) => {
    await writeJson(transaction, 'notifications', plain);
    await writeJson(transaction, 'notification-secrets', { webhook: webhook?.secret, email: email?.password });
  });
  return after;
}

function checkedWebhook(
  wanted: NonNullable<NotificationSettings['webhook']>,
  before: NotificationSettings['webhook'],
  configuration: Configuration,
): NonNullable<NotificationSettings['webhook']> {
  const url = checkWebhookUrl(wanted.url, configuration);
  const same = before !== null && URL.parse(before.url)?.origin === url.origin;
  const secret = wanted.secret ?? (same ? before.secret : undefined);
  if (wanted.secret === undefined && !same && before?.secret !== undefined) throw secretAgain('webhook.secret');
  if (secret !== undefined && /[^\x21-\x7e]/.test(secret)) {
    throw new HoldfastError('input-invalid', 'The secret may have visible ASCII characters only.', {
      field: 'webhook.secret',
    });
  }
  return { url: url.href, ...(secret === undefined || secret === '' ? {} : { secret }) };
}

function checkedEmail(
  wanted: NonNullable<NotificationSettings['email']>,
  before: NotificationSettings['email'],
): NonNullable<NotificationSettings['email']> {
  const { host, port, security, username, from, to } = wanted;
  if (isIP(host) === 0 && !/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/i.test(host)) {
    throw new HoldfastError('input-invalid', 'The mail server is a name or an address, like smtp.example.com.', {
      field: 'email.host',
    });
  }
  if (port > 65535) throw new HoldfastError('input-invalid', 'A port is at most 65535.', { field: 'email.port' });
  for (const address of [from, ...to]) {
    if (!/^[^\s@,;<>"]+@[^\s@,;<>"]+$/.test(address)) {
      throw new HoldfastError('input-invalid', `"${address}" is not an e-mail address.`, { field: 'email.to' });
    }
  }
  const same = before !== null && before.host === host && before.port === port && before.username === username;
  if (username !== null && wanted.password === undefined && !same && before?.password !== undefined) {
    throw secretAgain('email.password');
  }
  const password = username === null ? undefined : (wanted.password ?? (same ? before.password : undefined));
  return { host, port, security, username, from, to, ...(password === undefined ? {} : { password }) };
}

function secretAgain(field: string): HoldfastError {
  return new HoldfastError(
    'input-invalid',
    'It would be sent to another server now. Give the password or secret again.',
    { field },
  );
}
