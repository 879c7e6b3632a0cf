import { streamAddress } from '../../api/client.ts';

/** Where a file is fetched from so that the browser stores it. */
export function downloadAddress(path: string): string {
  return streamAddress('files.read', { query: { path, download: '1' } });
}

/** More than this is no pleasure in a browser's editor; it can still be downloaded. Bytes. */
export const EDIT_LIMIT = 2 * 1024 ** 2;

export type Content =
  | { kind: 'text'; text: string; crlf: boolean }
  | { kind: 'too-large'; size: number }
  | { kind: 'binary'; size: number };

/** The name of exactly these bytes: a save says with it what it takes the place of. */
export async function revisionOf(bytes: BufferSource): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Bytes to text, or why not. A NUL or a byte sequence that is no UTF-8 would be damaged by saving it as text. */
export function decodeContent(bytes: Uint8Array): Content {
  if (bytes.includes(0)) return { kind: 'binary', size: bytes.length };
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const crlf = text.includes('\r\n');
    return { kind: 'text', text: crlf ? text.replaceAll('\r\n', '\n') : text, crlf };
  } catch {
    return { kind: 'binary', size: bytes.length };
  }
}
