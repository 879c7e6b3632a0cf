import { z } from 'zod';
import type { ControlContext } from '../../context.ts';
import { checkMemberPath } from '../../files/member-files.ts';
import { audit } from '../../platform/audit.ts';
import { newShareToken } from '../../security/secrets.ts';
import { deleteShare, ensureShare, findShareOf, type ShareRow } from '../../store/sites.ts';
import type { AccountRow } from '../../store/accounts.ts';
import { actorOf } from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';
import { ApiAnswer } from './errors.ts';
import { ofUser, text } from './fields.ts';
import { firstExisting, pathsInQuery } from './files.ts';

const shared = z.object({ url: z.string() });

function shareUrl(owner: AccountRow, token: string): { url: string } {
  return { url: `/user/${owner.name}/shares/${token}/` };
}

async function findShareAt(
  context: ControlContext,
  owner: AccountRow,
  candidates: readonly string[],
): Promise<ShareRow | undefined> {
  for (const candidate of candidates) {
    let path: string;
    try {
      path = checkMemberPath(owner, candidate);
    } catch {
      continue;
    }
    const share = await findShareOf(context.database, owner.id, path);
    if (share) return share;
  }
  return undefined;
}

/** Links to single files, for everybody who is signed in here. */
export function registerSharing(server: ZodServer, context: ControlContext): void {
  const url = '/api/v0/user/:username/files/sharing/';
  const noPath = (): ApiAnswer => new ApiAnswer(400, { error: 'required field (path) not found' });
  const query = z.looseObject({ path: z.string().optional() });

  server.post(
    url,
    {
      schema: {
        params: ofUser,
        body: z.looseObject({ path: text.optional() }),
        response: { 200: shared, 201: shared },
      },
    },
    async (request, reply) => {
      const { owner } = request;
      const asked = request.body.path;
      if (!asked) throw noPath();
      const found = await firstExisting(context, owner, [asked]);
      if (!found) throw new ApiAnswer(404, { detail: `No such file or directory: ${asked}` });
      if (found.entry.type === 'directory')
        throw new ApiAnswer(400, { error: `${asked} is a directory; only files can be shared` });
      const { token, created } = await ensureShare(context.database, {
        token: newShareToken(),
        account_id: owner.id,
        path: found.path,
        created_at: context.now().toISOString(),
      });
      if (created) await audit(context, actorOf(request), 'file.share', found.path, 'ok', `account ${owner.name}`);
      return await reply.code(created ? 201 : 200).send(shareUrl(owner, token));
    },
  );

  server.get(url, { schema: { params: ofUser, querystring: query, response: { 200: shared } } }, async (request) => {
    const candidates = pathsInQuery(request);
    if (candidates.length === 0) throw noPath();
    const share = await findShareAt(context, request.owner, candidates);
    if (!share) throw new ApiAnswer(404, { detail: `${candidates[0]} is not shared` });
    return shareUrl(request.owner, share.token);
  });

  server.delete(
    url,
    { schema: { params: ofUser, querystring: query, response: { 204: z.null() } } },
    async (request, reply) => {
      const candidates = pathsInQuery(request);
      if (candidates.length === 0) throw noPath();
      const share = await findShareAt(context, request.owner, candidates);
      if (share && (await deleteShare(context.database, request.owner.id, share.path))) {
        await audit(context, actorOf(request), 'file.unshare', share.path, 'ok', `account ${request.owner.name}`);
      }
      return await reply.code(204).send(null);
    },
  );
}
