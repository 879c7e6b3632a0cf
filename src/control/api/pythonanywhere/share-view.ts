import type { FastifyInstance } from 'fastify';
import type { ControlContext } from '../../context.ts';
import { openFile } from '../../files/member-files.ts';
import { findAccountById } from '../../store/accounts.ts';
import { findShare } from '../../store/sites.ts';
import { answerError, answerUnknown } from '../errors.ts';

/**
 * GET /user/<name>/shares/<token>/: the shared file, for everybody who is signed in here. As plain text that no browser
 * runs, whatever is in it; `?download` saves it.
 */
export function registerShareView(server: FastifyInstance, context: ControlContext): void {
  server.setErrorHandler(answerError);
  server.get<{ Params: { username: string; token: string }; Querystring: { download?: string } }>(
    '/user/:username/shares/:token/',
    { schema: { hide: true } },
    async (request, reply) => {
      if (request.identity.kind === 'nobody') {
        return await reply.redirect(`/sign-in?next=${encodeURIComponent(request.url)}`, 302);
      }
      const share = await findShare(context.database, request.params.token);
      const owner = share && (await findAccountById(context.database, share.account_id));
      if (!share || owner?.name !== request.params.username || owner.disabled === 1)
        return answerUnknown(request, reply);
      const file = await openFile(context, owner, share.path);
      const name = encodeURIComponent(share.path.slice(share.path.lastIndexOf('/') + 1)).replaceAll("'", '%27');
      const disposition = request.query.download === undefined ? 'inline' : 'attachment';
      return await reply
        .type('text/plain; charset=utf-8')
        .header('content-length', String(file.size))
        .header('content-security-policy', "sandbox; default-src 'none'")
        .header('content-disposition', `${disposition}; filename*=UTF-8''${name}`)
        .send(file.stream);
    },
  );
}
