import type { FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { directorySchema } from '../../../protocol/browser.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { memberPathSchema } from '../../../protocol/files.ts';
import type { ControlContext } from '../../context.ts';
import {
  checkMemberPath, listDirectory, makeDirectory, openFile, removeFile, renameFile, saveFile,
} from '../../files/member-files.ts'; // prettier-ignore
import { readSettings } from '../../store/settings.ts';
import { accountInQuestion } from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';

const byPath = z.object({ path: memberPathSchema, account: z.string().optional() });
const account = z.object({ account: z.string().optional() });

function expectedBytes(request: FastifyRequest): { expectedBytes?: number } {
  const header = request.headers['content-length'];
  return header !== undefined && /^\d+$/.test(header) ? { expectedBytes: Number(header) } : {};
}

/** The Files page. The operator names an account with `&account=`. */
export function registerFiles(server: ZodServer, context: ControlContext): void {
  // A file is any bytes, whatever the browser says they are: they are not parsed and not kept in memory.
  const passThrough = (_request: FastifyRequest, payload: Readable, done: (error: null, body: unknown) => void): void =>
    done(null, payload);

  server.get(
    '/api/holdfast/files',
    { schema: { querystring: byPath, response: { 200: directorySchema } } },
    async (request) => {
      const owner = await accountInQuestion(context, request, request.query.account);
      const path = checkMemberPath(owner, request.query.path);
      const { entries, truncated } = await listDirectory(context, owner, path);
      return { path, entries, truncated, writable: path !== '/var/log' && !path.startsWith('/var/log/') };
    },
  );

  server.get(
    '/api/holdfast/files/content',
    { schema: { querystring: byPath.extend({ download: z.string().optional() }) } },
    async (request, reply) => {
      const owner = await accountInQuestion(context, request, request.query.account);
      const path = checkMemberPath(owner, request.query.path);
      const file = await openFile(context, owner, path);
      void reply
        .header('content-length', String(file.size))
        // Whatever a member's file holds, a browser must not run it in the platform's name.
        .header('content-security-policy', "sandbox; default-src 'none'")
        .type('application/octet-stream');
      if (request.query.download !== undefined) {
        const name = path.slice(path.lastIndexOf('/') + 1);
        void reply.header(
          'content-disposition',
          `attachment; filename*=UTF-8''${encodeURIComponent(name).replaceAll("'", '%27')}`,
        );
      }
      return reply.send(file.stream);
    },
  );

  void server.register((uploads, _options, done) => {
    uploads.removeAllContentTypeParsers();
    uploads.addContentTypeParser('*', passThrough);
    uploads.put('/api/holdfast/files/content', { schema: { hide: false } }, async (request) => {
      const query = byPath.safeParse(request.query);
      if (!query.success)
        throw new HoldfastError('input-invalid', query.error.issues[0]?.message ?? 'Name the path.', { field: 'path' });
      const owner = await accountInQuestion(context, request, query.data.account);
      const path = checkMemberPath(owner, query.data.path);
      const { uploadLimitBytes } = await readSettings(context.database);
      // Without a content type no parser runs: the bytes are still in the request itself.
      const content = (request.body as Readable | undefined) ?? request.raw;
      return await saveFile(context, owner, path, content, { ...expectedBytes(request), limitBytes: uploadLimitBytes });
    });
    done();
  });

  server.post(
    '/api/holdfast/files/directory',
    {
      schema: {
        querystring: account,
        body: z.object({ path: memberPathSchema }),
        response: { 200: z.object({ created: z.boolean() }) },
      },
    },
    async (request) => {
      const owner = await accountInQuestion(context, request, request.query.account);
      return { created: await makeDirectory(context, owner, checkMemberPath(owner, request.body.path)) };
    },
  );

  server.post(
    '/api/holdfast/files/rename',
    {
      schema: {
        querystring: account,
        body: z.object({ from: memberPathSchema, to: memberPathSchema }),
        response: { 200: z.object({}) },
      },
    },
    async (request) => {
      const owner = await accountInQuestion(context, request, request.query.account);
      await renameFile(
        context,
        owner,
        checkMemberPath(owner, request.body.from),
        checkMemberPath(owner, request.body.to),
      );
      return {};
    },
  );

  server.delete(
    '/api/holdfast/files',
    { schema: { querystring: byPath, response: { 204: z.null() } } },
    async (request, reply) => {
      const owner = await accountInQuestion(context, request, request.query.account);
      await removeFile(context, owner, checkMemberPath(owner, request.query.path));
      return reply.code(204).send(null);
    },
  );
}
