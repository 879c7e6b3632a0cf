import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { TYPES_FILE } from './static-server.ts';

/** What browsers and tools expect of these, where Debian's table says something else or nothing. */
const FIRST: Readonly<Record<string, string>> = {
  html: 'text/html',
  htm: 'text/html',
  css: 'text/css',
  js: 'text/javascript',
  mjs: 'text/javascript',
  cjs: 'text/javascript',
  json: 'application/json',
  map: 'application/json',
  webmanifest: 'application/manifest+json',
  wasm: 'application/wasm',
  xml: 'text/xml',
  rss: 'application/rss+xml',
  atom: 'application/atom+xml',
  svg: 'image/svg+xml',
  svgz: 'image/svg+xml',
  webp: 'image/webp',
  avif: 'image/avif',
  ico: 'image/x-icon',
  woff: 'font/woff',
  woff2: 'font/woff2',
  ttf: 'font/ttf',
  otf: 'font/otf',
  mp4: 'video/mp4',
  m4v: 'video/mp4',
  webm: 'video/webm',
  mp3: 'audio/mpeg',
  m4a: 'audio/mp4',
  ogg: 'audio/ogg',
  opus: 'audio/ogg',
  flac: 'audio/flac',
  wav: 'audio/wav',
  m3u8: 'application/vnd.apple.mpegurl',
  ts: 'video/mp2t',
  txt: 'text/plain',
  md: 'text/markdown',
  csv: 'text/csv',
  yaml: 'application/yaml',
  yml: 'application/yaml',
  gz: 'application/gzip',
  apk: 'application/vnd.android.package-archive',
};

/**
 * nginx's `types` block from a table like Debian's /etc/mime.types (a type, then its extensions). nginx compares extensions
 * in lower case, so .JPG is .jpg. Lines that are not such a table's are passed over.
 */
export function nginxTypes(table: string): string {
  const types = new Map<string, string>(Object.entries(FIRST));
  for (const line of table.split('\n')) {
    const [type = '', ...extensions] = (line.split('#')[0] ?? '').trim().split(/\s+/);
    if (!/^[A-Za-z0-9!&^_.+-]+\/[A-Za-z0-9!&^_.+-]+$/.test(type)) continue;
    for (const extension of extensions) {
      const name = extension.toLowerCase();
      if (/^[a-z0-9_+-]+$/.test(name) && !types.has(name)) types.set(name, type);
    }
  }
  const lines = [...types].map(([extension, type]) => `  ${type} ${extension};\n`);
  return `types {\n${lines.join('')}}\n`;
}

/** The table for every sandbox. Debian's comes with Python; without it, the types that a website needs are still known. */
export async function mimeTypes(): Promise<{ name: string; content: string }[]> {
  const table = await readFile('/etc/mime.types', 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return '';
  });
  return [{ name: basename(TYPES_FILE), content: nginxTypes(table) }];
}
