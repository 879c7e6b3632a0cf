import { z } from 'zod';
import { incidentSchema, incidentSummarySchema, notificationSettingsSchema } from '../../../protocol/incidents.ts';
import type { ControlContext } from '../../context.ts';
import { postMortem } from '../../incidents/post-mortem.ts';
import { changeNotificationSettings, readNotificationSettings, withoutSecrets } from '../../notifications/settings.ts';
import { platformUrl } from '../../notifications/alert.ts';
import { audit } from '../../platform/audit.ts';
import { actorOf, requireOperator } from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';

const byId = z.object({
  id: z.coerce
    .number()
    .int()
    .positive()
    .max(2 ** 31 - 1),
});

/** Incidents: what happened, who was hit, what was done, what operators say about it. */
export function registerIncidents(server: ZodServer, context: ControlContext): void {
  const { incidents } = context;

  server.get(
    '/api/holdfast/incidents',
    {
      schema: {
        querystring: z.object({ state: z.enum(['open', 'resolved']).optional() }),
        response: { 200: z.array(incidentSummarySchema) },
      },
    },
    async (request) => {
      requireOperator(request);
      return await incidents.list(request.query.state);
    },
  );

  server.get(
    '/api/holdfast/incidents/:id',
    { schema: { params: byId, response: { 200: incidentSchema } } },
    async (request) => {
      requireOperator(request);
      return await incidents.get(request.params.id);
    },
  );

  server.post(
    '/api/holdfast/incidents/:id/notes',
    {
      schema: {
        params: byId,
        body: z.object({ text: z.string().trim().min(1).max(4000), public: z.boolean().default(false) }),
        response: { 200: incidentSchema },
      },
    },
    async (request) => {
      requireOperator(request);
      const actor = actorOf(request);
      const { text, public: isPublic } = request.body;
      const incident = await incidents.note(request.params.id, actor.name, text, isPublic);
      await audit(context, actor, 'incident.note', `incident ${incident.id}`, 'ok', isPublic ? 'public' : '');
      return incident;
    },
  );

  server.get(
    '/api/holdfast/incidents/:id/post-mortem',
    { schema: { params: byId, produces: ['text/markdown'] } },
    async (request, reply) => {
      requireOperator(request);
      const incident = await incidents.get(request.params.id);
      return await reply
        .type('text/markdown; charset=utf-8')
        .header('content-disposition', `inline; filename="incident-${incident.id}.md"`)
        .send(postMortem(incident, platformUrl(context.configuration)));
    },
  );
}

/** Where operators are told of incidents. Secrets go in, and never come out. */
export function registerNotifications(server: ZodServer, context: ControlContext): void {
  const { database, configuration, notifier } = context;

  server.get(
    '/api/holdfast/notifications',
    { schema: { response: { 200: notificationSettingsSchema } } },
    async (request) => {
      requireOperator(request);
      return withoutSecrets(await readNotificationSettings(database));
    },
  );

  server.put(
    '/api/holdfast/notifications',
    { schema: { body: notificationSettingsSchema, response: { 200: notificationSettingsSchema } } },
    async (request) => {
      requireOperator(request);
      const settings = await changeNotificationSettings(database, configuration, request.body);
      const parts = [
        settings.webhook ? `webhook to ${new URL(settings.webhook.url).host}` : 'no webhook',
        settings.email ? `mail by ${settings.email.host} to ${settings.email.to.join(', ')}` : 'no mail',
      ];
      await audit(context, actorOf(request), 'notifications.change', 'platform', 'ok', parts.join('; '));
      notifier.wake();
      return withoutSecrets(settings);
    },
  );

  server.post(
    '/api/holdfast/notifications/test',
    { schema: { response: { 200: z.object({ webhook: z.string().nullable(), email: z.string().nullable() }) } } },
    async (request) => {
      requireOperator(request);
      return await notifier.test();
    },
  );
}
