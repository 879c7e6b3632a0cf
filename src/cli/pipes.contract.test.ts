import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { layoutOf, readConfiguration, type Configuration } from '../runtime/config.ts';
import { operatorTokenFile } from './api.ts';
import { holdfastCommand } from './program.ts';

let home: string;
let configuration: Configuration;
/** A control plane that takes every request and never answers. */
let control: Server;
let asked: () => void = () => undefined;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'holdfast-pipes-'));
  configuration = readConfiguration({ HOLDFAST_HOME: home });
  await mkdir(dirname(operatorTokenFile(configuration)), { recursive: true });
  await writeFile(operatorTokenFile(configuration), 'x');
  const socket = layoutOf(configuration).controlSocket;
  await mkdir(dirname(socket), { recursive: true });
  control = createServer(() => asked());
  await new Promise<void>((resolve) => control.listen(socket, resolve));
});
afterAll(async () => {
  control.closeAllConnections();
  control.close();
  await rm(home, { recursive: true, force: true });
  await rm(configuration.runDirectory, { recursive: true, force: true });
});

/** Every command that does something, by the words that name it. */
function commandsOf(command: Command, words: readonly string[] = []): { words: string[]; command: Command }[] {
  if (command.commands.length === 0) return [{ words: [...words], command }];
  return command.commands.flatMap((one) => commandsOf(one, [...words, one.name()]));
}

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
}

/** Runs the command; `meanwhile` may close its output or send it a signal. */
async function run(
  words: readonly string[],
  meanwhile: (child: ReturnType<typeof spawn>) => void,
  environment: Record<string, string> = {},
): Promise<Ended> {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'main.ts'), ...words],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOLDFAST_HOME: home, ...environment },
      timeout: 120_000,
      killSignal: 'SIGKILL',
    },
  );
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stderr }));
  });
  meanwhile(child);
  return await ended;
}

const leaves = commandsOf(holdfastCommand(readConfiguration({ HOLDFAST_HOME: '/nowhere' })));
/** Words for what a command needs to be told. */
function needed(command: Command): string[] {
  return command.registeredArguments
    .filter((argument) => argument.required)
    .map((argument) => argument.argChoices?.[0] ?? 'home1');
}
/** These ask the platform nothing: they change the machine, or print what they know; `drill run` is a program of its own. */
const BY_THEMSELVES = new Set(['start', 'prepare-tests', 'prepare-bench', 'service', 'drill list', 'drill run']);
const asking = leaves.filter(({ words }) => !BY_THEMSELVES.has(words.join(' ')) && words[0] !== 'service');

describe('the command line in pipes', () => {
  it('knows its own commands', () => {
    expect(leaves.length).toBeGreaterThan(25);
  });

  const firsts = [...new Set(leaves.map(({ words }) => words[0] ?? ''))];
  it.each(firsts)('ends quietly when nobody reads: %s --help', async (name) => {
    const ended = await run([name, '--help'], (child) => child.stdout?.destroy(), {
      COLUMNS: '40',
      NO_COLOR: '1',
    });
    expect(ended.stderr).toBe('');
    // Help is the last that is written, so it may end before it is told that nobody reads.
    expect([0, 141]).toContain(ended.code);
  });

  it('ends quietly when nobody reads the answer', async () => {
    const ended = await run(['drill', 'list', '--json'], (child) => child.stdout?.destroy());
    expect(ended).toEqual({ code: 141, signal: null, stderr: '' });
  });

  it.each(asking.map(({ words, command }) => [[...words, ...needed(command)].join(' ')]))(
    'ends quietly at Ctrl-C, or refuses in words: %s',
    async (line) => {
      const ended = await run(line.split(' '), (child) => {
        asked = () => child.kill('SIGINT');
      });
      // A shell shows 130 for a program that SIGINT ended.
      if (ended.signal === 'SIGINT') expect(ended.stderr).toBe('');
      else {
        // It asks for something first that nobody without a terminal can give.
        expect(ended.code).toBeGreaterThan(0);
        expect(ended.stderr).toMatch(/^(holdfast|error): /);
        expect(ended.stderr).not.toMatch(/\n {4}at /);
      }
    },
  );
});
