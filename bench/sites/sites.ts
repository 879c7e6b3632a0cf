import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { Platform } from '../../e2e/platform.ts';
import { runCommand } from '../../src/runtime/command.ts';
import { SOURCE_DIRECTORY } from '../../src/runtime/config.ts';
import { judge, renderTable, type JudgedFigure } from '../measure/figures.ts';
import { api } from './api.ts';
import { Ground, type Measurement } from './ground.ts';
import { idle } from './idle.ts';
import { Members } from './members.ts';
import { own } from './own.ts';
import { reload } from './reload.ts';
import { serve } from './serve.ts';
import { start } from './start.ts';
import { storage } from './storage.ts';
import { wake } from './wake.ts';

/** In the order in which they run: what fills the platform with accounts comes last. */
export const MEASUREMENTS: readonly Measurement[] = [serve, wake, reload, idle, storage, own, start, api];

export interface SitesOptions {
  quick: boolean;
  only: readonly string[];
  jsonFile: string;
  say: (line: string) => void;
}

export interface SitesReport {
  what: 'sites';
  startedAt: string;
  quick: boolean;
  machine: Record<string, unknown>;
  figures: (JudgedFigure & { measurement: string })[];
  failures: { measurement: string; error: string }[];
  /** How many rounds of comparisons began on a quiet machine. */
  rounds: { calm: number; disturbed: number };
  raw: Record<string, unknown>;
}

async function machine(): Promise<Record<string, unknown>> {
  const firstLine = async (program: string, ...arguments_: string[]): Promise<string> => {
    const result = await runCommand(program, arguments_, { deadlineMs: 20_000, directory: SOURCE_DIRECTORY });
    return (result.stdout || result.stderr).trim().split('\n')[0] ?? '';
  };
  return {
    processor: cpus()[0]?.model,
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel: release(),
    system: /^PRETTY_NAME="?(.*?)"?$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1],
    /** Others at work on this machine make the figures worse, on both sides. */
    loadBefore: loadavg()[0],
    node: process.version,
    nginx: await firstLine('nginx', '-v'),
    uwsgi: await firstLine('uwsgi', '--version'),
    python: await firstLine('python3', '--version'),
    commit: await firstLine('git', 'rev-parse', 'HEAD'),
  };
}

/** A platform of its own, everything measured on it, and everything gone again afterwards, also when `signal` fires. */
export async function benchSites(options: SitesOptions, signal: AbortSignal): Promise<SitesReport> {
  const { say } = options;
  const wanted = MEASUREMENTS.filter((one) => options.only.length === 0 || options.only.includes(one.name));
  const report: SitesReport = {
    what: 'sites',
    startedAt: new Date().toISOString(),
    quick: options.quick,
    machine: await machine(),
    figures: [],
    failures: [],
    rounds: { calm: 0, disturbed: 0 },
    raw: {},
  };
  await using stack = new AsyncDisposableStack();
  const platform = await Platform.make();
  stack.defer(async () => {
    say('Removing the platform that was measured');
    await platform.remove();
  });
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () =>
      reject(signal.reason instanceof Error ? signal.reason : new Error('Stopped.')),
    );
  });
  // Nobody may be waiting at the moment of the signal; whoever races next gets the reason.
  aborted.catch(() => undefined);
  const members = stack.use(new Members(platform));
  const ground = stack.use(new Ground({ platform, members, quick: options.quick, say }));
  report.raw = ground.raw;
  say('Starting a platform in a directory of its own');
  await Promise.race([platform.start(), aborted]);
  for (const one of wanted) {
    say(`${one.name}: ${one.title}`);
    try {
      const figures = await Promise.race([one.run(ground), aborted]);
      const judged = figures.map((figure) => ({ ...judge(figure), measurement: one.name }));
      report.figures.push(...judged);
      if (wanted.length > 1) say(`${renderTable(judged)}\n`);
    } catch (error) {
      if (signal.aborted) throw error;
      const text = error instanceof Error ? `${error.message}${details(error)}` : String(error);
      say(`  failed: ${text}`);
      report.failures.push({ measurement: one.name, error: text });
    }
  }
  say(`\n${renderTable(report.figures)}\n`);
  for (const figure of report.figures) if (figure.note !== undefined) say(`${figure.name}: ${figure.note}`);
  for (const failure of report.failures) say(`${failure.measurement} could not be measured: ${failure.error}`);
  if (report.failures.length > 0) say(`\nThe end of the platform's logs:\n${platform.logs()}`);
  report.rounds = ground.calm.rounds;
  const { calm, disturbed } = ground.calm.rounds;
  if (disturbed > 0)
    say(
      `${disturbed} of ${calm + disturbed} rounds began while others were at work on this machine: measure again when it is quiet.`,
    );
  mkdirSync(dirname(options.jsonFile), { recursive: true });
  writeFileSync(options.jsonFile, `${JSON.stringify(report, null, 1)}\n`);
  say(`\nEverything measured: ${options.jsonFile}`);
  return report;
}

function details(error: Error): string {
  const lines = 'details' in error && Array.isArray(error.details) ? (error.details as string[]) : [];
  return lines.length === 0 ? '' : `\n    ${lines.join('\n    ')}`;
}

/** Where the figures go when nobody says where. */
export function defaultJsonFile(what: string): string {
  const stamp = new Date().toISOString().replaceAll(':', '-').replace(/\..*$/, '');
  return join(SOURCE_DIRECTORY, 'bench/results', `${what}-${stamp}.json`);
}
