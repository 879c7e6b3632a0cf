import { isUtf8 } from 'node:buffer';

/**
 * File names are bytes; pages and the API speak Unicode. Bytes that are no UTF-8 are shown as the private characters
 * U+EF80 to U+EFFF (the low byte is the byte), so that such a file can be seen, told apart and deleted. Real characters of
 * that range are taken byte by byte too, which keeps the two ways exact inverses of each other.
 */
const FIRST = 0xef80;
const LAST = 0xefff;
const ESCAPED = /[\uef80-\uefff]/;

export function decodeName(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer)) {
    const text = buffer.toString('utf8');
    if (!ESCAPED.test(text)) return text;
  }
  let text = '';
  for (let index = 0; index < buffer.length;) {
    const first = buffer[index] ?? 0;
    const length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 0;
    const piece = buffer.subarray(index, index + length);
    const character = length > 0 && piece.length === length && isUtf8(piece) ? piece.toString('utf8') : undefined;
    if (character !== undefined && !ESCAPED.test(character)) {
      text += character;
      index += length;
    } else {
      text += String.fromCharCode(0xef00 + first);
      index += 1;
    }
  }
  return text;
}

export function encodeName(text: string): Buffer {
  if (!ESCAPED.test(text)) return Buffer.from(text, 'utf8');
  const pieces: Buffer[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    pieces.push(code >= FIRST && code <= LAST ? Buffer.from([code - 0xef00]) : Buffer.from(character, 'utf8'));
  }
  return Buffer.concat(pieces);
}

/** Whether a name stands for bytes that no argument vector of Node can carry. */
export function hasRawBytes(text: string): boolean {
  return ESCAPED.test(text);
}
