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
    for (const line of error.details ?? []) process.stderr.write(`  ${line}\n`);
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

/** A table for a terminal: columns as wide as their longest cell, two spaces between. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(headings.map((heading) => heading.toUpperCase())), ...rows.map(line)].join('\n');
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
