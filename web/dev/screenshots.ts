import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

/**
 * Pictures of every page, light and dark, on a phone and on a wide screen: `node dev/screenshots.ts [directory] [pattern of names]`.
 * Needs `npm run build -w web` first. Ends with exit code 1 when a page wrote an error to the console.
 */
const directory = process.argv[2] ?? '/tmp/shots';
const only = new RegExp(process.argv[3] ?? '.', 'u');
const PORT = Number(process.env['STAND_IN_PORT'] ?? 8097);
const ADDRESS = `http://127.0.0.1:${PORT}`;

export interface Shot {
  name: string;
  scenario: string;
  path: string;
  /** Something to do before the picture is taken. */
  act?: (page: Page) => Promise<void>;
}

async function siteLink(page: Page, domain: RegExp, section?: string): Promise<void> {
  await page.getByRole('link', { name: domain }).first().click();
  await page.getByRole('navigation', { name: 'Parts of the site' }).waitFor();
  if (section !== undefined)
    await page.getByRole('navigation', { name: 'Parts of the site' }).getByRole('link', { name: section }).click();
}

/** Every page in every state worth a look; the test of the pages walks over them, too. */
export const SHOTS: readonly Shot[] = [
  { name: 'sign-in', scenario: 'signed-out', path: '/sign-in' },
  {
    name: 'sign-in-wrong',
    scenario: 'signed-out',
    path: '/sign-in?next=/files',
    act: async (page) => {
      await page.getByLabel('Account name').fill('alice');
      await page.getByLabel('Password').fill('wrong');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('alert').waitFor();
    },
  },
  {
    name: 'sign-up',
    scenario: 'signed-out',
    path: '/sign-in',
    act: async (page) => {
      await page.getByRole('button', { name: 'Make one' }).click();
      await page.getByLabel('Account name').fill('Al');
      await page.getByLabel('Password').fill('x');
    },
  },
  { name: 'first-password', scenario: 'first-password', path: '/' },
  { name: 'dashboard-empty', scenario: 'empty', path: '/' },
  { name: 'dashboard-busy', scenario: 'busy', path: '/' },
  { name: 'dashboard-failed', scenario: 'failed', path: '/' },
  { name: 'dashboard-much', scenario: 'much', path: '/' },
  { name: 'dashboard-operator', scenario: 'operator', path: '/' },
  {
    name: 'menu',
    scenario: 'operator',
    path: '/',
    act: async (page) => {
      const menu = page.getByRole('button', { name: 'Menu' });
      if (await menu.isVisible()) await menu.click();
      else await page.keyboard.press('?');
    },
  },
  { name: 'web-empty', scenario: 'empty', path: '/web' },
  { name: 'web-list', scenario: 'busy', path: '/web' },
  { name: 'web-much', scenario: 'much', path: '/web' },
  {
    name: 'web-new',
    scenario: 'busy',
    path: '/web/new',
    act: async (page) => {
      await page.getByRole('radio', { name: /Your own command/ }).check();
      await page.getByLabel('First part').fill('Sh op');
    },
  },
  { name: 'site-overview', scenario: 'busy', path: '/web', act: (page) => siteLink(page, /^alice\.localhost/) },
  { name: 'site-errors', scenario: 'errors', path: '/web', act: (page) => siteLink(page, /^blog-alice/) },
  { name: 'site-failed', scenario: 'failed', path: '/web', act: (page) => siteLink(page, /^shop-alice/) },
  {
    name: 'site-code',
    scenario: 'busy',
    path: '/web',
    act: async (page) => {
      await siteLink(page, /^alice\.localhost/, 'Code');
      await page.getByLabel('Virtualenv').fill('shop');
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText('The running site still uses').waitFor();
    },
  },
  {
    name: 'site-static',
    scenario: 'busy',
    path: '/web',
    act: async (page) => {
      await siteLink(page, /^alice\.localhost/, 'Static files');
      await page.getByRole('button', { name: 'Remove /media/' }).click();
      await page.getByRole('button', { name: 'Undo' }).waitFor();
    },
  },
  {
    name: 'site-security',
    scenario: 'busy',
    path: '/web',
    act: async (page) => {
      await siteLink(page, /^www\.example\.org/, 'Security');
      await page.getByRole('button', { name: 'Replace the certificate' }).click();
    },
  },
  {
    name: 'site-logs',
    scenario: 'busy',
    path: '/web',
    act: async (page) => {
      await siteLink(page, /^alice\.localhost/, 'Logs');
      await page.getByRole('button', { name: 'Access' }).click();
      await page.getByText('response-time').first().waitFor();
    },
  },
  {
    name: 'site-logs-error',
    scenario: 'failed',
    path: '/web',
    act: async (page) => {
      await siteLink(page, /^shop-alice/, 'Logs');
      await page.getByText('Traceback').first().waitFor();
    },
  },
  {
    name: 'site-settings',
    scenario: 'busy',
    path: '/web',
    act: (page) => siteLink(page, /^alice\.localhost/, 'Running'),
  },
  {
    name: 'site-delete',
    scenario: 'busy',
    path: '/web',
    act: async (page) => {
      await siteLink(page, /^alice\.localhost/, 'Running');
      await page.getByRole('button', { name: 'Delete this site' }).click();
    },
  },
  { name: 'tasks', scenario: 'tasks', path: '/tasks' },
  { name: 'tasks-empty', scenario: 'empty', path: '/tasks' },
  { name: 'tasks-failing', scenario: 'tasks-failing', path: '/tasks' },
  { name: 'tasks-repair', scenario: 'tasks-repair', path: '/tasks' },
  { name: 'tasks-none-allowed', scenario: 'tasks-none-allowed', path: '/tasks' },
  {
    name: 'tasks-silent',
    scenario: 'tasks',
    path: '/tasks',
    act: async (page) => {
      await page.request.post(`/stand-in/tasks-silent`);
      await page.getByText(/the host does not answer/).waitFor();
    },
  },
  {
    name: 'task-new',
    scenario: 'tasks',
    path: '/tasks/new',
    act: async (page) => {
      await page.getByRole('radio', { name: /A cron line/ }).check();
      await page.getByRole('textbox', { name: 'Cron line' }).fill('30 2 * * MON-FRI');
      await page.getByRole('combobox', { name: 'Time zone' }).fill('Europe/Berlin');
      await page.getByRole('table', { name: 'The next runs' }).waitFor();
    },
  },
  {
    name: 'task-failed',
    scenario: 'tasks-failing',
    path: '/tasks/1',
    act: (page) => page.getByText('KeyError').waitFor(),
  },
  {
    name: 'task-output',
    scenario: 'tasks',
    path: '/tasks/2',
    act: async (page) => {
      await page.getByRole('button', { name: 'Show output of run 41' }).click();
      await page.getByRole('button', { name: 'Show output of run 39' }).click();
      await page.getByText('the run goes on').waitFor();
    },
  },
  { name: 'task-always-on', scenario: 'tasks', path: '/tasks/4' },
  { name: 'task-always-on-failing', scenario: 'tasks-failing', path: '/tasks/4' },
  { name: 'task-edit', scenario: 'tasks', path: '/tasks/1/edit' },
  {
    name: 'task-new-wrong',
    scenario: 'tasks',
    path: '/tasks/new',
    act: async (page) => {
      await page.getByRole('radio', { name: /A cron line/ }).check();
      await page.getByRole('textbox', { name: 'Cron line' }).fill('*/90 * * * *');
      await page.getByRole('button', { name: 'Make the task' }).click();
      await page.getByRole('alert').first().waitFor();
    },
  },
  { name: 'task-new-example', scenario: 'empty', path: '/tasks/new?example' },
  {
    name: 'task-delete',
    scenario: 'tasks',
    path: '/tasks',
    act: (page) => page.getByRole('button', { name: /^Delete: python3/ }).click(),
  },
  { name: 'task-missing', scenario: 'tasks', path: '/tasks/77' },
  {
    name: 'files',
    scenario: 'busy',
    path: '/files',
    act: async (page) => {
      await page.getByLabel('Select customers 2026.csv').check();
    },
  },
  { name: 'files-empty', scenario: 'empty', path: '/files' },
  { name: 'files-much', scenario: 'much', path: '/files' },
  { name: 'files-error', scenario: 'busy', path: '/files/home/alice/forbidden' },
  {
    name: 'files-upload',
    scenario: 'busy',
    path: '/files',
    act: async (page) => {
      await page.getByLabel('Files to upload').setInputFiles([
        { name: 'README.txt', mimeType: 'text/plain', buffer: Buffer.from('x') },
        { name: 'photo.jpg', mimeType: 'image/jpeg', buffer: Buffer.alloc(200_000) },
      ]);
      await page.getByRole('button', { name: 'Replace' }).click();
      await page.getByText('2 files uploaded').waitFor();
    },
  },
  {
    name: 'edit',
    scenario: 'busy',
    path: '/edit/home/alice/mysite/flask_app.py',
    act: async (page) => {
      const content = page.getByLabel('Content of flask_app.py');
      await content.waitFor();
      await content.press('Control+End');
      await content.pressSequentially('def broken(:\nreturn 1');
      await page.getByText('Not saved yet').waitFor();
      await page.waitForFunction(
        () =>
          document.querySelector('.editor-host')?.shadowRoot?.querySelector('.cm-lint-marker') instanceof HTMLElement,
      );
    },
  },
  {
    name: 'edit-guard',
    scenario: 'busy',
    path: '/edit/home/alice/mysite/flask_app.py',
    act: async (page) => {
      const content = page.getByLabel('Content of flask_app.py');
      await content.waitFor();
      await content.press('x');
      await page.getByRole('link', { name: 'mysite' }).click();
      await page.getByText('Leave without saving?').waitFor();
    },
  },
  { name: 'edit-large', scenario: 'busy', path: '/edit/home/alice/database.sqlite3' },
  {
    name: 'account',
    scenario: 'busy',
    path: '/account',
    act: async (page) => {
      await page.getByRole('button', { name: 'Make a token' }).click();
      await page.getByText('Copy it now').waitFor();
    },
  },
  { name: 'accounts', scenario: 'operator', path: '/accounts' },
  {
    name: 'accounts-created',
    scenario: 'operator',
    path: '/accounts',
    act: async (page) => {
      await page.getByRole('button', { name: 'New account' }).click();
      await page.getByLabel('Account name').fill('dora');
      await page.getByRole('button', { name: 'Make the account' }).click();
      await page.getByText('One-time password').waitFor();
    },
  },
  {
    name: 'accounts-manage',
    scenario: 'operator',
    path: '/accounts',
    act: (page) => page.getByRole('button', { name: 'Manage alice' }).click(),
  },
  ...[
    'operator',
    'quiet',
    'hung',
    'rebuilding',
    'no-spare',
    'stopped',
    'slow',
    'corrupt',
    'full',
    'host-full',
    'blind',
    'unseen',
    'reaction-off',
    'many',
  ].map((scenario) => ({ name: `storage-${scenario}`, scenario, path: '/storage' })),
  { name: 'dashboard-host-full', scenario: 'host-full', path: '/' },
  { name: 'incidents-host-full', scenario: 'host-full', path: '/incidents' },
  {
    name: 'storage-open',
    scenario: 'quiet',
    path: '/storage',
    act: async (page: Page) => {
      await page.locator('#volume-home2').getByRole('button', { name: 'Open' }).click();
      await page.locator('#volume-home2').getByText('live here').click();
    },
  },
  {
    name: 'storage-new',
    scenario: 'operator',
    path: '/storage',
    act: (page: Page) => page.getByRole('button', { name: 'New volume' }).click(),
  },
  {
    name: 'storage-reaction',
    scenario: 'quiet',
    path: '/storage',
    act: (page: Page) => page.getByRole('button', { name: 'Switch off' }).click(),
  },
  {
    name: 'storage-recover',
    scenario: 'no-spare',
    path: '/storage',
    act: async (page: Page) => {
      await page.locator('#volume-home3').getByRole('button', { name: 'Recover' }).click();
      await page.getByText('Take in a spare disk').waitFor();
    },
  },
  {
    name: 'storage-recovering',
    scenario: 'no-spare',
    path: '/storage',
    act: async (page: Page) => {
      await page.locator('#volume-home3').getByRole('button', { name: 'Recover' }).click();
      await page.getByRole('button', { name: 'Recover home3' }).click();
      await page.getByText('It goes on by itself').waitFor();
    },
  },
  {
    name: 'storage-replace',
    scenario: 'slow',
    path: '/storage',
    act: async (page: Page) => {
      await page.locator('#volume-home3').getByRole('button', { name: 'Replace a disk' }).click();
      await page.getByRole('button', { name: 'Show the plan' }).click();
      await page.getByText('Release the old disk').waitFor();
    },
  },
  ...['quiet', 'hung', 'rebuilding', 'stopped', 'full'].map((scenario) => ({
    name: `incidents-${scenario}`,
    scenario,
    path: '/incidents',
  })),
  { name: 'incidents-none', scenario: 'operator', path: '/incidents' },
  ...['hung', 'rebuilding', 'no-spare', 'stopped', 'slow', 'corrupt', 'full', 'reaction-off'].map((scenario) => ({
    name: `incident-${scenario}`,
    scenario,
    path: '/incidents/7',
  })),
  { name: 'incident-old', scenario: 'quiet', path: '/incidents/4' },
  { name: 'incident-missing', scenario: 'quiet', path: '/incidents/99' },
  { name: 'drills', scenario: 'quiet', path: '/drills' },
  { name: 'drills-running', scenario: 'drill-live', path: '/drills' },
  {
    name: 'drill-start',
    scenario: 'quiet',
    path: '/drills',
    act: (page: Page) => page.getByRole('button', { name: 'Start The outage of 7 July 2020' }).click(),
  },
  {
    name: 'drill-here',
    scenario: 'quiet',
    path: '/drills',
    act: async (page: Page) => {
      await page.getByRole('button', { name: 'Start The outage of 7 July 2020' }).click();
      await page.getByRole('radio', { name: /On this platform/ }).check();
      await page.getByRole('button', { name: 'Next' }).click();
      await page.getByLabel('Type outage-2020').waitFor();
    },
  },
  { name: 'drill-waiting', scenario: 'drill-waiting', path: '/drills/outage-2020-live' },
  { name: 'drill-live', scenario: 'drill-live', path: '/drills/outage-2020-live' },
  { name: 'drill-passed', scenario: 'quiet', path: '/drills/outage-2020-done' },
  { name: 'drill-failed', scenario: 'drill-failed', path: '/drills/outage-2020-no-reaction' },
  {
    name: 'hangs-open',
    scenario: 'quiet',
    path: '/storage',
    act: async (page: Page) => {
      await page.request.post(`/stand-in/hang`);
      await page.getByText(/Not up to date since/).waitFor();
    },
  },
  {
    name: 'hangs-member',
    scenario: 'busy',
    path: '/',
    act: async (page: Page) => {
      await page.request.post(`/stand-in/hang`);
      await page.getByText(/Not up to date since/).waitFor();
    },
  },
  {
    name: 'hangs-new',
    scenario: 'quiet',
    path: '/',
    act: async (page: Page) => {
      await page.request.post(`/stand-in/hang`);
      await page.reload();
      await page.getByText(/do not answer right now/).waitFor();
    },
  },
  ...['hung', 'rebuilding', 'stopped'].map((scenario) => ({ name: `dashboard-${scenario}`, scenario, path: '/' })),
  { name: 'banner-busy', scenario: 'rebuilding', path: '/audit' },
  { name: 'banner-bad', scenario: 'stopped', path: '/accounts' },
  { name: 'banner-member', scenario: 'repair', path: '/web' },
  { name: 'dashboard-stopped', scenario: 'stopped', path: '/' },
  {
    name: 'settings-told',
    scenario: 'quiet',
    path: '/settings',
    act: async (page: Page) => {
      await page.getByRole('button', { name: 'Send a test' }).click();
      await page.getByText('delivered: the receiver').waitFor();
    },
  },
  { name: 'settings', scenario: 'operator', path: '/settings' },
  {
    name: 'settings-plan',
    scenario: 'operator',
    path: '/settings',
    act: (page) => page.getByRole('button', { name: 'Change standard' }).click(),
  },
  { name: 'audit', scenario: 'operator', path: '/audit' },
  { name: 'not-found', scenario: 'busy', path: '/nowhere' },
  { name: 'not-for-members', scenario: 'busy', path: '/storage' },
  { name: 'site-missing', scenario: 'busy', path: '/web/000000000000' },
  { name: 'drill-missing', scenario: 'quiet', path: '/drills/none' },
  { name: 'edit-missing', scenario: 'busy', path: '/edit/home/alice/none.py' },
];

const LOOKS = [
  { name: 'light-wide', colorScheme: 'light', viewport: { width: 1440, height: 900 } },
  { name: 'dark-wide', colorScheme: 'dark', viewport: { width: 1440, height: 900 } },
  { name: 'light-phone', colorScheme: 'light', viewport: { width: 390, height: 844 } },
  { name: 'dark-phone', colorScheme: 'dark', viewport: { width: 390, height: 844 } },
] as const;

const problems: string[] = [];

async function take(browser: Browser, look: (typeof LOOKS)[number]): Promise<void> {
  const context = await browser.newContext({
    colorScheme: look.colorScheme,
    viewport: look.viewport,
    reducedMotion: 'reduce',
    baseURL: ADDRESS,
  });
  for (const shot of SHOTS) {
    if (!only.test(`${shot.name}.${look.name}`)) continue;
    await fetch(`${ADDRESS}/stand-in/${shot.scenario}`, { method: 'POST' });
    const page = await context.newPage();
    page.on('console', (message) => {
      // The stand-in's own refusals are part of some pictures.
      if (message.type() === 'error' && !/status of (?:4\d\d|50[23])/.test(message.text()))
        problems.push(`${shot.name} (${look.name}): ${message.text()}`);
    });
    page.on('pageerror', (error) => problems.push(`${shot.name} (${look.name}): ${error.message}`));
    try {
      await page.goto(shot.path);
      await page.getByRole('heading').first().waitFor();
      await page.waitForFunction(() => document.querySelector('.skeleton') === null);
      await shot.act?.(page);
      await page.waitForFunction(() => document.querySelector('.skeleton') === null);
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      if (overflow > 0) problems.push(`${shot.name} (${look.name}): wider than the screen by ${overflow} pixels`);
    } catch (error) {
      problems.push(`${shot.name} (${look.name}): ${error instanceof Error ? error.message : String(error)}`);
    }
    await page.screenshot({
      path: join(directory, `${shot.name}.${look.name}.png`),
      fullPage: !shot.name.startsWith('edit'),
    });
    await page.close();
  }
  await context.close();
}

async function startStandIn(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'mock-api.ts'), String(PORT)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, STAND_IN_STILL: '1' },
  });
  if (child.stdout === null) throw new Error('The stand-in has no output.');
  await once(child.stdout, 'data');
  return child;
}

async function main(): Promise<void> {
  await mkdir(directory, { recursive: true });
  const standIn = await startStandIn();
  const browser = await chromium.launch({
    executablePath: process.env['CHROMIUM'] || '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  });
  try {
    for (const look of LOOKS) await take(browser, look);
  } finally {
    await browser.close();
    standIn.kill();
  }
  for (const problem of problems) console.error(problem);
  console.log(`Pictures are in ${directory}.`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}

if (import.meta.main) await main();
