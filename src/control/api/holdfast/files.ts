import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { HoldfastError } from '../../../protocol/errors.ts';
import { insteadOfSchema, type InsteadOf } from '../../../protocol/files.ts';
import type { ControlContext } from '../../context.ts';
import {
  checkMemberPath, compactFile, listDirectory, makeDirectory, openFile, removeFile, renameFile, saveFile,
} from '../../files/member-files.ts'; // prettier-ignore
import { audit } from '../../platform/audit.ts';
import type { AccountRow } from '../../store/accounts.ts';
import { readSettings } from '../../store/settings.ts';
import { accountInQuestion, actorOf } from '../identity.ts';
import { serve } from './serve.ts';
import { serveStream } from './serve-stream.ts';

function expectedBytes(request: FastifyRequest): { expectedBytes?: number } {
  const header = request.headers['content-length'];
  return header !== undefined && /^\d+$/.test(header) ? { expectedBytes: Number(header) } : {};
}

/**
 * What the writer has seen, in HTTP's own words: `If-Match: "<SHA-256 of what was read>"`, or `If-None-Match: *` for a file that must be new.
 * Throws `input-invalid` for any other condition, so that none is overlooked.
 */
function insteadOf(request: FastifyRequest): { insteadOf?: InsteadOf } {
  const { 'if-match': match, 'if-none-match': noneMatch } = request.headers;
  if (match === undefined && noneMatch === undefined) return {};
  if (match === undefined && noneMatch === '*') return { insteadOf: 'nothing' };
  const seen = insteadOfSchema.safeParse(/^"([0-9a-f]{64})"$/.exec(match ?? '')?.[1]);
  if (noneMatch === undefined && seen.success) return { insteadOf: seen.data };
  throw new HoldfastError(
    'input-invalid',
    'Send If-Match with the SHA-256 of what you read, in double quotes, or If-None-Match: * for a new file.',
  );
}

/** Whose files these are. That an operator goes to a member's files is written down. */
async function ownerOf(
  context: ControlContext,
  request: FastifyRequest,
  named: string | undefined,
  path: string,
): Promise<AccountRow> {
  const owner = await accountInQuestion(context, request, named);
  const actor = actorOf(request);
  if (actor.name !== owner.name)
    await audit(context, actor, 'file.access', path, 'ok', `${request.method}, account ${owner.name}`);
  return owner;
}

/** The Files page. The operator names an account with `&account=`. */
export function registerFiles(server: FastifyInstance, context: ControlContext): void {
  serve<'files'>(server, {
    'files.list': async ({ query, request }) => {
      const owner = await ownerOf(context, request, query.account, query.path);
      const path = checkMemberPath(owner, query.path);
      const { entries, truncated } = await listDirectory(context, owner, path);
      return { path, entries, truncated, writable: path !== '/var/log' && !path.startsWith('/var/log/') };
    },

    'files.makeDirectory': async ({ query, body, request }) => {
      const owner = await ownerOf(context, request, query.account, body.path);
      return { created: await makeDirectory(context, owner, checkMemberPath(owner, body.path)) };
    },

    'files.rename': async ({ query, body, request }) => {
      const owner = await ownerOf(context, request, query.account, body.from);
      await renameFile(context, owner, checkMemberPath(owner, body.from), checkMemberPath(owner, body.to));
      return {};
    },

    'files.compact': async ({ query, body, request }) => {
      const owner = await ownerOf(context, request, query.account, body.path);
      return { freedBytes: await compactFile(context, owner, checkMemberPath(owner, body.path)) };
    },

    'files.delete': async ({ query, request }) => {
      const owner = await ownerOf(context, request, query.account, query.path);
      await removeFile(context, owner, checkMemberPath(owner, query.path));
    },
  });

  serveStream(server, 'files.read', async ({ query, request, reply }) => {
    const owner = await ownerOf(context, request, query.account, query.path);
    const path = checkMemberPath(owner, query.path);
    const file = await openFile(context, owner, path);
    void reply
      .header('content-length', String(file.size))
      // Whatever a member's file holds, a browser must not run it in the platform's name.
      .header('content-security-policy', "sandbox; default-src 'none'")
      .type('application/octet-stream');
    if (query.download !== undefined) {
      const name = path.slice(path.lastIndexOf('/') + 1);
      void reply.header(
        'content-disposition',
        `attachment; filename*=UTF-8''${encodeURIComponent(name).replaceAll("'", '%27')}`,
      );
    }
    return reply.send(file.stream);
  });

  // A file is any bytes, whatever the browser says they are: they are not parsed and not kept in memory.
  const passThrough = (_request: FastifyRequest, payload: Readable, done: (error: null, body: unknown) => void): void =>
    done(null, payload);

  void server.register((uploads, _options, done) => {
    uploads.removeAllContentTypeParsers();
    uploads.addContentTypeParser('*', passThrough);
    serveStream(
      uploads,
      'files.write',
      async ({ query, request }) => {
        const owner = await ownerOf(context, request, query.account, query.path);
        const path = checkMemberPath(owner, query.path);
        const { uploadLimitBytes } = await readSettings(context.database);
        // Without a content type no parser runs: the bytes are still in the request itself.
        const content = (request.body as Readable | undefined) ?? request.raw;
        return await saveFile(context, owner, path, content, {
          ...expectedBytes(request),
          ...insteadOf(request),
          limitBytes: uploadLimitBytes,
        });
      },
      {
        schemaErrorFormatter: ([first]) =>
          new HoldfastError('input-invalid', first?.message ?? 'Name the path.', { field: 'path' }),
      },
    );
    done();
  });
}
