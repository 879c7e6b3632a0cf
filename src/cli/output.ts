import { CommanderError } from 'commander';
import { HoldfastError, type ErrorCode } from '../protocol/errors.ts';

/** Exit codes of the command, after sysexits(3) where it has a word for the case. */
const WRONG_INPUT = 64;
const EXIT_CODES: Partial<Record<ErrorCode, number>> = {
  'input-invalid': WRONG_INPUT,
  'confirmation-needed': WRONG_INPUT,
  'not-found': 66,
  'not-ready': 69,
  'agent-unreachable': 69,
  'storage-repair': 75,
  'deadline-passed': 75,
  forbidden: 77,
};

/** Prints an error for a person on standard error and returns the exit code. */
export function reportError(error: unknown): number {
  if (error instanceof HoldfastError) {
    process.stderr.write(`holdfast: ${error.message}\n`);
    // Of one mistake the detail is the message once more.
    for (const line of error.details ?? [])
      if (!error.message.endsWith(line.replace(/^\//, ''))) process.stderr.write(`  ${line}\n`);
    return EXIT_CODES[error.code] ?? 1;
  }
  // Commander has said it already; help and the version come this way, too.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_INPUT;
  process.stderr.write(`holdfast: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 70;
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** A last column that would be narrower than this goes to lines of its own. */
const NARROWEST = 24;
const INDENT = 4;

/**
 * A table for a terminal: columns as wide as their longest cell, two spaces between. Where lines are limited (a terminal, not a pipe) the last
 * column is broken between words, below itself or, on a narrow terminal, below the row.
 * @param columns of a line
 */
export function table(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number = process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY,
): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0);
  const below = columns - before < NARROWEST;
  const line = (cells: readonly string[]): string => {
    const whole = cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
    if (before + (widths.at(-1) ?? 0) <= columns) return whole.trimEnd();
    const rest = broken(cells[headings.length - 1] ?? '', below ? columns - INDENT : columns - before);
    const first = whole.slice(0, before);
    if (below) return [first.trimEnd(), ...rest.map((text) => `${' '.repeat(INDENT)}${text}`)].join('\n');
    return rest.map((text, index) => `${index === 0 ? first : ' '.repeat(before)}${text}`.trimEnd()).join('\n');
  };
  return [line(headings.map((heading) => heading.toUpperCase())), ...rows.map(line)].join('\n');
}

/** A text in lines of at most so many characters, broken between words; a longer word stands alone. */
function broken(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.length - 1;
    const longer = lines[last] === '' ? word : `${lines[last]} ${word}`;
    if (longer.length <= Math.max(1, width) || lines[last] === '') lines[last] = longer;
    else lines.push(word);
  }
  return lines;
}

/** Bytes in the binary units that file systems use: 1.5 GiB. */
export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit] ?? ''}`;
}

/** "8GiB", "512M", "1073741824" -> bytes. Throws `input-invalid`. */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?$/i.exec(text.trim());
  if (!match) throw new HoldfastError('input-invalid', `"${text}" is not a size. Use something like 8GiB or 512MiB.`);
  const power = ['', 'k', 'm', 'g', 't', 'p'].indexOf((match[2] ?? '').toLowerCase());
  return Math.round(Number(match[1]) * 1024 ** power);
}
