import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { within } from '../src/runtime/deadline.ts';

const ROOT = resolve(import.meta.dirname, '..');

/** The built pages with a control plane that is made up (web/dev/mock-api.ts), and a browser: for what the pages do by themselves. */
export class StandIn {
  readonly browser: Browser;
  readonly address: string;
  readonly #server: ChildProcess;

  private constructor(browser: Browser, address: string, server: ChildProcess) {
    this.browser = browser;
    this.address = address;
    this.#server = server;
  }

  /** Builds the pages and starts both. */
  static async start(): Promise<StandIn> {
    const build = spawn(process.execPath, ['node_modules/vite/bin/vite.js', 'build', 'web', '--logLevel', 'warn'], {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const [code] = (await within(120_000, 'Building the pages', once(build, 'exit'))) as [number | null];
    if (code !== 0) throw new Error('The pages could not be built.');
    const server = spawn(process.execPath, ['web/dev/mock-api.ts', '0'], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, STAND_IN_STILL: '1' },
    });
    const [line] = (await within(30_000, 'The start of the stand-in', once(server.stdout, 'data'))) as [Buffer];
    const address = /http:\/\/[\d.:]+/.exec(line.toString())?.[0];
    if (address === undefined) throw new Error(`The stand-in says ${line.toString()}`);
    const browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    return new StandIn(browser, address, server);
  }

  /** Everything as it is at the beginning of a scenario of web/dev/scenarios.ts. */
  async scenario(name: string): Promise<void> {
    const answer = await fetch(`${this.address}/stand-in/${name}`, { method: 'POST' });
    if (!answer.ok) throw new Error(`There is no scenario ${name}.`);
  }

  async stop(): Promise<void> {
    await this.browser.close();
    const ended = once(this.#server, 'exit');
    this.#server.kill();
    await ended;
  }
}
