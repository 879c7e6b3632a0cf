import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import type { Platform } from './platform.ts';

const PASSWORD = 'a long enough pass phrase';
const PAGE_DEADLINE_MS = 30_000;
/** A page of a platform that is hurt may not answer; then the picture shows what a person would see. */
const SHOT_DEADLINE_MS = 10_000;
/** For what the page asks for after it is there. */
const SETTLE_MS = 600;
const SIZES = { wide: { width: 1360, height: 900 }, phone: { width: 390, height: 844 } } as const;
type Size = keyof typeof SIZES;

/**
 * Pictures of what an operator sees while a drill runs: for those who develop the pages. It takes its share of the machine, so a drill's
 * figures are worth less with it.
 */
export class Pictures implements AsyncDisposable {
  readonly #platform: Platform;
  readonly #directory: string;
  readonly #browser: Browser;
  readonly #pages: Record<Size, Page>;
  readonly #taken = new Set<string>();
  #queue: Promise<void> = Promise.resolve();

  private constructor(platform: Platform, directory: string, browser: Browser, pages: Record<Size, Page>) {
    this.#platform = platform;
    this.#directory = directory;
    this.#browser = browser;
    this.#pages = pages;
  }

  /** Signs in as the operator of a new platform, whose first password must be changed. */
  static async open(platform: Platform, firstPassword: string, directory: string): Promise<Pictures> {
    mkdirSync(directory, { recursive: true });
    // Only developers have it: it is no part of what is installed.
    const { chromium } = await import('playwright-core');
    const browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--host-resolver-rules=MAP *.localhost 127.0.0.1',
      ],
    });
    try {
      const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: SIZES.wide });
      const wide = await context.newPage();
      wide.setDefaultTimeout(PAGE_DEADLINE_MS);
      await wide.goto(addressOf(platform, '/'));
      await wide.getByLabel('Account name').fill('operator');
      await wide.getByLabel('Password', { exact: true }).fill(firstPassword);
      await wide.getByRole('button', { name: 'Sign in' }).click();
      await wide.getByLabel('One-time password', { exact: true }).fill(firstPassword);
      await wide.getByLabel('New password', { exact: true }).fill(PASSWORD);
      await wide.getByLabel('New password again').fill(PASSWORD);
      await wide.getByRole('button', { name: 'Set the password' }).click();
      await wide.getByRole('heading', { name: 'Dashboard' }).waitFor();
      const small = await browser.newContext({
        ignoreHTTPSErrors: true,
        viewport: SIZES.phone,
        storageState: await context.storageState(),
      });
      const phone = await small.newPage();
      phone.setDefaultTimeout(PAGE_DEADLINE_MS);
      for (const page of [wide, phone]) await page.goto(addressOf(platform, '/storage'));
      return new Pictures(platform, directory, browser, { wide, phone });
    } catch (error) {
      await browser.close();
      throw error;
    }
  }

  /** The Storage page and the newest incident of a volume, once for each moment; one after the other, in the background. */
  take(moment: string, volume: string, failed: (text: string) => void): void {
    if (this.#taken.has(moment)) return;
    this.#taken.add(moment);
    const number = this.#taken.size;
    this.#queue = this.#queue
      .then(() => this.#shoot(`${number}-${moment}`, volume))
      .catch((error: unknown) => failed(`no picture of "${moment}": ${String(error).slice(0, 200)}`));
  }

  async #shoot(name: string, volume: string): Promise<void> {
    await this.#both('/storage', `${name}-storage`);
    const incidents = await this.#platform
      .operator('incidents.list', {}, { deadlineMs: SHOT_DEADLINE_MS })
      .catch(() => []);
    const incident = incidents.find((entry) => entry.volume === volume);
    await this.#both(incident === undefined ? '/incidents' : `/incidents/${incident.id}`, `${name}-incident`);
  }

  async #both(path: string, name: string): Promise<void> {
    await Promise.all(
      (Object.keys(SIZES) as Size[]).map(async (size) => {
        const page = this.#pages[size];
        const address = addressOf(this.#platform, path);
        // What does not come is part of the picture.
        if (page.url() !== address) await page.goto(address, { timeout: SHOT_DEADLINE_MS }).catch(() => undefined);
        await page.waitForTimeout(SETTLE_MS);
        await page.screenshot({
          path: join(this.#directory, `${name}-${size}.png`),
          fullPage: true,
          timeout: SHOT_DEADLINE_MS,
        });
      }),
    );
  }

  /** Until what was asked for is taken. */
  async done(): Promise<void> {
    await this.#queue;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue;
    await this.#browser.close();
  }
}

function addressOf(platform: Platform, path: string): string {
  return `https://localhost:${platform.configuration.httpsPort}${path}`;
}
