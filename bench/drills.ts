import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { dirname, join } from 'node:path';
import { DRILLS } from '../src/model/drills.ts';
import { drillResultSchema, type DrillResult } from '../src/protocol/drills.ts';
import { SOURCE_DIRECTORY } from '../src/runtime/config.ts';

/** A drill sets up, measures, repairs and cleans up within its own deadlines; this bounds their sum. */
const DRILL_DEADLINE_MS = 20 * 60_000;

export const DRILL_NAMES: readonly string[] = DRILLS.map((drill) => drill.name);

export interface DrillsOptions {
  only: readonly string[];
  /** How often each drill is run. */
  rounds: number;
  jsonFile: string;
  say: (line: string) => void;
}

interface DrillReport {
  drill: string;
  round: number;
  passed: boolean;
  /** Seconds from the start of the command to its end. */
  seconds: number;
  /** Load of the machine before: others at work on it make the figures worse. */
  loadBefore: number;
  missed: string[];
  result: DrillResult | null;
}

/** Every drill, one after the other, each as a person runs it; then one table. Resolves with whether everything held. */
export async function benchDrills(options: DrillsOptions, signal: AbortSignal): Promise<boolean> {
  const { say } = options;
  const names = options.only.length > 0 ? options.only : DRILL_NAMES;
  const startedAt = new Date().toISOString();
  const reports: DrillReport[] = [];
  for (let round = 1; round <= options.rounds && !signal.aborted; round += 1) {
    for (const name of names) {
      if (signal.aborted) break;
      say(`\n== ${name}${options.rounds > 1 ? `, round ${round} of ${options.rounds}` : ''}`);
      reports.push(await one(name, round, say, signal));
    }
  }
  const machine = { processor: cpus()[0]?.model, cores: cpus().length, kernel: release(), node: process.version };
  mkdirSync(dirname(options.jsonFile), { recursive: true });
  writeFileSync(
    options.jsonFile,
    `${JSON.stringify({ what: 'drills', startedAt, machine, drills: reports }, undefined, 2)}\n`,
  );
  say(`\n${tableOf(reports)}\n`);
  for (const report of reports.filter((entry) => entry.missed.length > 0)) {
    say(`${report.drill}, round ${report.round}:`);
    for (const line of report.missed) say(`  ${line}`);
  }
  say(`Figures: ${options.jsonFile}`);
  return !signal.aborted && reports.length > 0 && reports.every((report) => report.passed);
}

async function one(
  name: string,
  round: number,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<DrillReport> {
  const directory = mkdtempSync('/var/tmp/holdfast-bench-drill-');
  const json = join(directory, 'result.json');
  const missed: string[] = [];
  const loadBefore = loadavg()[0] ?? 0;
  const begin = performance.now();
  try {
    const child = spawn(join(SOURCE_DIRECTORY, 'bin/holdfast'), ['drill', 'run', name, '--json', json], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true, // Its own group: a Ctrl-C reaches it once, from here.
      timeout: DRILL_DEADLINE_MS,
    });
    const stop = (): void => void child.kill('SIGTERM');
    signal.addEventListener('abort', stop, { once: true });
    let partial = '';
    child.stdout.on('data', (chunk: Buffer) => {
      const lines = (partial + chunk.toString('utf8')).split('\n');
      partial = lines.pop() ?? '';
      for (const line of lines) {
        say(line);
        if (line.trimStart().startsWith('MISSED')) missed.push(line.trim().replace(/^MISSED\s+/, ''));
      }
    });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    signal.removeEventListener('abort', stop);
    return {
      drill: name,
      round,
      passed: code === 0,
      seconds: Math.round((performance.now() - begin) / 1000),
      loadBefore,
      missed,
      result: readResult(json),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** null when the drill broke off before it had any. */
function readResult(file: string): DrillResult | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  return drillResultSchema.parse(JSON.parse(text));
}

function tableOf(reports: readonly DrillReport[]): string {
  const seconds = (value: number | null): string => (value === null ? '-' : `${value} s`);
  const head = [
    'drill',
    '',
    'named',
    'longest wait',
    'their failed',
    'others failed',
    'others p99',
    'mirror full',
    'lost',
  ];
  const rows = reports.map(({ drill, passed, missed, result }) => {
    const verdict = passed ? 'ok' : result === null ? 'BROKE OFF' : `${missed.length} MISSED`;
    if (result === null) return [drill, verdict];
    const { affected, unaffected } = result;
    return [
      drill,
      verdict,
      seconds(result.located_s),
      seconds(affected.longest_wait_s),
      `${affected.failed} of ${affected.requests}`,
      `${unaffected.failed} of ${unaffected.requests}`,
      `${unaffected.p99_before_ms} -> ${unaffected.p99_during_ms} ms`,
      seconds(result.redundancy_restored_s),
      `${result.lost_writes} of ${result.acknowledged_writes}`,
    ];
  });
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
