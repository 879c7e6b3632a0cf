import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { FileEntry } from '../../../protocol/files.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { AgentFile } from '../../agent-client.ts';
import type { ControlContext } from '../../context.ts';
import { checkMemberPath, findFile, listDirectory, listTree, openFile, removeFile } from '../../files/member-files.ts';
import type { AccountRow } from '../../store/accounts.ts';
import type { ZodServer } from '../zod-server.ts';
import { ApiAnswer } from './errors.ts';
import { ofUser } from './fields.ts';

/** PythonAnywhere's cap. */
const TREE_ENTRIES = 1000;

const ofPath = ofUser.extend({ '*': z.string().optional() });

/** The path glued to `files/path`. Undefined when it is none of the member's. */
export function pathInQuestion(request: FastifyRequest): { asked: string; path: string | undefined } {
  const { '*': rest = '' } = request.params as { '*'?: string };
  const asked = `/${rest.replace(/^\/+/, '')}`;
  try {
    return { asked, path: checkMemberPath(request.owner, asked) };
  } catch {
    return { asked, path: undefined };
  }
}

/** The values that a `?path=` may mean: the official client sends it raw, others encode it (a space as `+`, too). */
export function pathsInQuery(request: FastifyRequest): string[] {
  const encoded = /[?&]path=(.*)$/s.exec(request.url)?.[1];
  const decoded = new URLSearchParams(request.url.slice(request.url.indexOf('?') + 1)).get('path');
  if (encoded === undefined || decoded === null || decoded === '') return [];
  let raw = encoded;
  try {
    raw = decodeURIComponent(encoded);
  } catch {
    // It has a percent sign of its own: then it is not encoded at all.
  }
  return [...new Set([decoded, raw])];
}

/** The first of these paths where something is. */
export async function firstExisting(
  context: ControlContext,
  owner: AccountRow,
  candidates: readonly string[],
): Promise<{ path: string; entry: FileEntry } | undefined> {
  for (const candidate of candidates) {
    let path: string;
    try {
      path = checkMemberPath(owner, candidate);
    } catch (error) {
      if (error instanceof HoldfastError && (error.code === 'not-found' || error.code === 'input-invalid')) continue;
      throw error;
    }
    const entry = await findFile(context, owner, path);
    if (entry) return { path, entry };
  }
  return undefined;
}

function directoryListing(
  request: FastifyRequest,
  path: string,
  entries: readonly FileEntry[],
): Record<string, unknown> {
  const scheme = request.headers['x-forwarded-proto'] === 'http' ? 'http' : 'https';
  const base = `${scheme}://${request.headers.host ?? 'localhost'}/api/v0/user/${request.owner.name}/files/path`;
  return Object.fromEntries(
    entries.map((entry) => {
      const type = entry.type === 'other' ? 'file' : entry.type;
      const url = base + `${path}/${entry.name}`.split('/').map(encodeURIComponent).join('/');
      return [entry.name, { type, url }];
    }),
  );
}

async function sendPath(context: ControlContext, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { asked, path } = pathInQuestion(request);
  const entry = path === undefined ? undefined : await findFile(context, request.owner, path);
  if (path === undefined || !entry) throw new ApiAnswer(404, { detail: `No such file or directory: ${asked}` });
  if (entry.type === 'directory') return await sendDirectory(context, request, reply, path);
  let file: AgentFile;
  try {
    file = await openFile(context, request.owner, path);
  } catch (error) {
    // What a link leads to is known only when it is opened.
    const perhaps = entry.type === 'symlink' && error instanceof HoldfastError && error.code === 'input-invalid';
    if (perhaps) return await sendDirectory(context, request, reply, path);
    throw error;
  }
  // Always these bytes and never JSON: by the type, clients tell a file from a directory.
  return reply
    .type('application/octet-stream')
    .header('content-length', String(file.size))
    .header('content-security-policy', "sandbox; default-src 'none'")
    .send(file.stream);
}

async function sendDirectory(
  context: ControlContext,
  request: FastifyRequest,
  reply: FastifyReply,
  path: string,
): Promise<FastifyReply> {
  const { entries } = await listDirectory(context, request.owner, path);
  return reply.type('application/json').send(directoryListing(request, path, entries));
}

async function deletePath(context: ControlContext, request: FastifyRequest): Promise<void> {
  const forbidden = new ApiAnswer(403, { message: 'You do not have permission to delete this', code: 'forbidden' });
  const { path } = pathInQuestion(request);
  if (path === undefined) throw forbidden;
  try {
    await removeFile(context, request.owner, path);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    if (error.code === 'not-found') throw new ApiAnswer(404, { message: 'File does not exist', code: 'not_found' });
    if (error.code === 'forbidden') throw forbidden;
    throw error;
  }
}

/** files/path (reading, deleting) and files/tree; uploads are in uploads.ts, because their body is a stream. */
export function registerFileEndpoints(server: ZodServer, context: ControlContext): void {
  const base = '/api/v0/user/:username/files';

  for (const url of [`${base}/path`, `${base}/path/*`]) {
    server.get(url, { schema: { params: ofPath } }, (request, reply) => sendPath(context, request, reply));
    server.delete(url, { schema: { params: ofPath, response: { 204: z.null() } } }, async (request, reply) => {
      await deletePath(context, request);
      return reply.code(204).send(null);
    });
  }

  server.get(
    `${base}/tree/`,
    {
      schema: {
        params: ofUser,
        querystring: z.looseObject({ path: z.string().optional() }),
        response: { 200: z.array(z.string()) },
      },
    },
    async (request) => {
      const candidates = pathsInQuery(request);
      const asked = candidates[0];
      if (asked === undefined) throw new ApiAnswer(400, { detail: 'required field (path) not found' });
      const found = await firstExisting(context, request.owner, candidates);
      if (!found) throw new ApiAnswer(400, { detail: `${asked} does not exist` });
      if (found.entry.type !== 'directory') throw new ApiAnswer(400, { detail: `${asked} is not a directory` });
      return await listTree(context, request.owner, found.path, TREE_ENTRIES);
    },
  );
}
