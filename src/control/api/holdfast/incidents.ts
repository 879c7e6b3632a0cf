import type { FastifyInstance } from 'fastify';
import type { ControlContext } from '../../context.ts';
import { postMortem } from '../../incidents/post-mortem.ts';
import { changeNotificationSettings, readNotificationSettings, withoutSecrets } from '../../notifications/settings.ts';
import { platformUrl } from '../../notifications/alert.ts';
import { audit } from '../../platform/audit.ts';
import { actorOf } from '../identity.ts';
import { serve } from './serve.ts';
import { serveStream } from './serve-stream.ts';

/** Incidents: what happened, who was hit, what was done, what operators say about it. */
export function registerIncidents(server: FastifyInstance, context: ControlContext): void {
  const { incidents } = context;

  serve<'incidents'>(server, {
    'incidents.list': async ({ query }) => await incidents.list(query.state),

    'incidents.get': async ({ params }) => await incidents.get(params.id),

    'incidents.note': async ({ params, body, request }) => {
      const actor = actorOf(request);
      const incident = await incidents.note(params.id, actor.name, body.text, body.public);
      await audit(context, actor, 'incident.note', `incident ${incident.id}`, 'ok', body.public ? 'public' : '');
      return incident;
    },
  });

  serveStream(server, 'incidents.postMortem', async ({ params, reply }) => {
    const incident = await incidents.get(params.id);
    return await reply
      .type('text/markdown; charset=utf-8')
      .header('content-disposition', `inline; filename="incident-${incident.id}.md"`)
      .send(postMortem(incident, platformUrl(context.configuration)));
  });
}

/** Where operators are told of incidents. Secrets go in, and never come out. */
export function registerNotifications(server: FastifyInstance, context: ControlContext): void {
  const { database, configuration, notifier } = context;

  serve<'notifications'>(server, {
    'notifications.get': async () => withoutSecrets(await readNotificationSettings(database)),

    'notifications.change': async ({ body, request }) => {
      const settings = await changeNotificationSettings(database, configuration, body);
      const parts = [
        settings.webhook ? `webhook to ${new URL(settings.webhook.url).host}` : 'no webhook',
        settings.email ? `mail by ${settings.email.host} to ${settings.email.to.join(', ')}` : 'no mail',
      ];
      await audit(context, actorOf(request), 'notifications.change', 'platform', 'ok', parts.join('; '));
      notifier.wake();
      return withoutSecrets(settings);
    },

    'notifications.test': async () => await notifier.test(),
  });
}
