import type { DrillCheck, DrillResult, DrillRun } from '../protocol/drills.ts';
import { bytes } from './figures.ts';
import type { Show } from './live.ts';

const COLOURS = { red: 31, green: 32, yellow: 33, blue: 34, grey: 90, bold: 1 } as const;

/** Lines for a terminal, in colours where it has some. */
export class Printer {
  readonly #write: (text: string) => void;
  readonly #colours: boolean;

  constructor(write: (text: string) => void, colours: boolean) {
    this.#write = write;
    this.#colours = colours;
  }

  #paint(colour: keyof typeof COLOURS, text: string): string {
    return this.#colours ? `\u001b[${COLOURS[colour]}m${text}\u001b[0m` : text;
  }

  readonly show: Show = (line) => {
    if ('step' in line) {
      this.#write(`${this.#paint('bold', line.step)}\n`);
      return;
    }
    const colour = { fault: 'red', platform: 'blue', witness: 'yellow', runner: 'grey' } as const;
    const time = `${line.atMs < 0 ? '-' : '+'}${(Math.abs(line.atMs) / 1000).toFixed(1)}`.padStart(7);
    this.#write(
      `${this.#paint('grey', time)} s  ${this.#paint(colour[line.kind], line.kind.padEnd(8))}  ${line.text}\n`,
    );
  };

  score(run: DrillRun): void {
    const width = Math.max(0, ...run.checks.map((check) => check.what.length));
    const targets = Math.max(0, ...run.checks.map((check) => check.target.length));
    this.#write(`\n${this.#paint('bold', `${run.title}: the score`)}\n`);
    for (const check of run.checks)
      this.#write(
        `  ${this.#mark(check)}  ${check.what.padEnd(width)}  ${check.target.padEnd(targets)}  ${check.measured}\n`,
      );
    this.#write('\n');
  }

  #mark(check: DrillCheck): string {
    if (check.ok === null) return this.#paint('grey', '  -   ');
    return check.ok ? this.#paint('green', '  ok  ') : this.#paint('red', 'MISSED');
  }

  /** 7 July 2020 and this run, side by side. */
  sideBySide(result: DrillResult): void {
    const { affected, unaffected } = result;
    const seconds = (value: number | null, otherwise: string): string => (value === null ? otherwise : `${value} s`);
    const share = affected.accounts / Math.max(1, affected.accounts + unaffected.accounts);
    const rows = [
      ['to learn which disk it is', '72 minutes', seconds(result.located_s, 'never')],
      [
        'members on that disk',
        '2 h 40 to 5 h 18 without service',
        `longest wait ${affected.longest_wait_s} s, ${affected.failed} of ${affected.requests} requests failed`,
      ],
      [
        'everybody else',
        'the other 80 % were hit, too',
        `${Math.round((1 - share) * 100)} %: ${unaffected.failed} of ${unaffected.requests} requests failed, p99 ${unaffected.p99_before_ms} -> ${unaffected.p99_during_ms} ms`,
      ],
      [
        'their starts and reloads',
        'blocked behind the dead server',
        `${unaffected.starts_failed} of ${unaffected.starts} starts failed, ${unaffected.reloads_failed} reloads failed`,
      ],
      ['how it was repaired', 'improvised for an hour', `${result.operator_commands} commands of a person`],
      ['machines rebooted', 'all', String(result.reboots)],
      ['programs restarted', 'all', String(result.programs_restarted)],
      [
        'redundancy restored',
        'by hand, the same evening',
        result.redundancy_restored_s === null
          ? 'no'
          : `${result.redundancy_restored_s} s${result.rebuild_bytes === null ? '' : ` (${bytes(result.rebuild_bytes)} copied)`}`,
      ],
      ['data lost', 'none', `${result.lost_writes} of ${result.acknowledged_writes} acknowledged writes`],
    ];
    const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0), 14));
    const line = (cells: readonly string[]): string =>
      `  ${(cells[0] ?? '').padEnd(widths[0] ?? 0)} | ${(cells[1] ?? '').padEnd(widths[1] ?? 0)} | ${cells[2] ?? ''}\n`;
    this.#write(this.#paint('bold', line(['', '7 July 2020', 'this run'])));
    this.#write(`  ${'-'.repeat(widths[0] ?? 0)}-+-${'-'.repeat(widths[1] ?? 0)}-+-${'-'.repeat(40)}\n`);
    for (const row of rows) this.#write(line(row));
    this.#write('\n');
  }

  end(run: DrillRun, directory: string | undefined): void {
    const missed = run.checks.filter((check) => check.ok === false).length;
    const verdict =
      run.state === 'passed'
        ? this.#paint('green', 'passed: every promise held')
        : run.state === 'failed'
          ? this.#paint('red', `failed: ${missed} of ${run.checks.length} promises did not hold`)
          : this.#paint('red', `broken off: ${run.error ?? 'for no reason that is known'}`);
    this.#write(`${run.drill} ${verdict}\n`);
    if (directory !== undefined) this.#write(this.#paint('grey', `Record and logs: ${directory}\n`));
  }
}
