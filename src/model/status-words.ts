const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text as it may stand in HTML and in XML 1.0, in content and in quotes. What XML cannot hold at all is left out. */
export function escapeText(text: string): string {
  return (
    text
      .toWellFormed()
      // eslint-disable-next-line no-control-regex
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff]/g, '')
      .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
  );
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** "7 Jul 2026, 16:06 UTC". What is no date stays out of the page. */
export function momentWords(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return 'at an unknown time';
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()] ?? ''} ${at.getUTCFullYear()}, ${two(at.getUTCHours())}:${two(at.getUTCMinutes())} UTC`;
}

/** "less than a minute", "7 minutes", "3 hours", "2 days". */
export function durationWords(from: string, to: string): string {
  const minutes = Math.floor((Date.parse(to) - Date.parse(from)) / 60_000);
  const many = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
  if (!(minutes >= 1)) return 'less than a minute';
  if (minutes < 120) return many(minutes, 'minute');
  return minutes < 48 * 60 ? many(Math.floor(minutes / 60), 'hour') : many(Math.floor(minutes / 1440), 'day');
}

/** A short stable name made of others (FNV-1a, 64 bits): the same every time, and nothing can be read from it. */
export function shortIdOf(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of utf8(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(36).padStart(13, '0');
}

function* utf8(text: string): Generator<number> {
  for (const character of encodeURIComponent(text.toWellFormed())) yield character.charCodeAt(0);
}
