import fastifyMultipart, { type MultipartFile, type MultipartValue } from '@fastify/multipart';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import type { ControlContext } from '../../context.ts';
import { isMemberRoot, saveFile, tooLarge } from '../../files/member-files.ts';
import { readSettings } from '../../store/settings.ts';
import { partsOf } from './bodies.ts';
import { ApiAnswer, noPermission } from './errors.ts';
import { pathInQuestion } from './files.ts';

const noContent = (): ApiAnswer => new ApiAnswer(400, { detail: "You must provide a file with the name 'content'." });

/** What a form may hold besides the file, so that one that is surely too large is refused before it comes. */
const FORM_ALLOWANCE_BYTES = 4 * 1024 ** 2;

/** POST files/path: the multipart field `content` goes to the agent as it arrives and is never whole in memory. */
export async function registerUploads(server: FastifyInstance, context: ControlContext): Promise<void> {
  server.removeAllContentTypeParsers();
  await server.register(fastifyMultipart, {
    // The limit is a setting and is kept by whoever moves the bytes.
    limits: { fileSize: Number.POSITIVE_INFINITY, fieldSize: 1024 * 1024, fields: 100, files: 10, headerPairs: 100 },
    throwFileSizeLimit: false,
  });
  server.addContentTypeParser('*', (_request, payload, done) => {
    payload.resume();
    done(noContent());
  });
  for (const url of ['/api/v0/user/:username/files/path', '/api/v0/user/:username/files/path/*']) {
    server.post(url, async (request, reply) => {
      const { path } = pathInQuestion(request);
      if (path === undefined || isMemberRoot(request.owner, path)) {
        request.raw.resume();
        throw noPermission();
      }
      if (!request.isMultipart()) throw noContent();
      const { created } = await saveContent(context, request, path);
      return reply.code(created ? 201 : 200).send('');
    });
  }
}

async function saveContent(
  context: ControlContext,
  request: FastifyRequest,
  path: string,
): Promise<{ created: boolean }> {
  const { uploadLimitBytes } = await readSettings(context.database);
  if (Number(request.headers['content-length'] ?? 0) > uploadLimitBytes + FORM_ALLOWANCE_BYTES) {
    request.raw.resume();
    throw tooLarge(uploadLimitBytes);
  }
  let saved: { created: boolean } | undefined;
  for await (const part of partsOf(request)) {
    if (saved || part.fieldname !== 'content') drop(part);
    else saved = await saveFile(context, request.owner, path, contentOf(part), { limitBytes: uploadLimitBytes });
  }
  if (!saved) throw noContent();
  return saved;
}

/** A part without a file name comes as a field; it counts as a file all the same. */
function contentOf(part: MultipartFile | MultipartValue): Readable {
  if (part.type === 'file') return part.file;
  if (part.valueTruncated) throw new ApiAnswer(413, { detail: 'Send a file this large with a file name.' });
  return Readable.from([Buffer.from(String(part.value))]);
}

function drop(part: MultipartFile | MultipartValue): void {
  if (part.type === 'file') part.file.resume();
}
