import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Platform } from './platform.ts';

const IMAGES = resolve(import.meta.dirname, '../docs/images');
/** Pictures for the guides are only replaced when asked for, so that a test run leaves the tree as it was. */
const PICTURES = process.env['HOLDFAST_PICTURES'] === '1';

async function picture(page: Page, name: string): Promise<void> {
  const bytes = await page.screenshot();
  expect(bytes.length).toBeGreaterThan(10_000);
  if (PICTURES) {
    mkdirSync(IMAGES, { recursive: true });
    await page.screenshot({ path: join(IMAGES, `${name}.png`) });
  }
}

describe('a newcomer with a browser', () => {
  let platform: Platform;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    platform = await Platform.make();
    await platform.start();
    browser = await chromium.launch({
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
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1360, height: 850 } });
    page = await context.newPage();
    page.setDefaultTimeout(30_000);
  });

  afterEach(async (test) => {
    if (test.task.result?.state !== 'fail') return;
    const file = join(tmpdir(), `holdfast-failed-${test.task.name.replaceAll(/\W+/g, '-').slice(0, 40)}.png`);
    await page.screenshot({ path: file });
    process.stderr.write(`What the page showed: ${file}\n`);
  });

  afterAll(async () => {
    await browser?.close();
    await platform?.remove();
  });

  const at = (path: string): string => `https://localhost:${platform.httpsPort}${path}`;

  async function signIn(name: string, password: string): Promise<void> {
    await page.goto(at('/'));
    await page.getByLabel('Account name').fill(name);
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
  }

  let memberPassword = '';

  it('signs in with the one-time password and chooses an own one', async () => {
    await page.goto(at('/'));
    await page.getByLabel('Account name').waitFor();
    await picture(page, 'sign-in');
    await signIn('operator', platform.oneTimePassword);
    await page.getByLabel('One-time password', { exact: true }).fill(platform.oneTimePassword);
    await page.getByLabel('New password', { exact: true }).fill('a long enough pass phrase');
    await page.getByLabel('New password again').fill('a long enough pass phrase');
    await page.getByRole('button', { name: 'Set the password' }).click();
    await page.getByRole('heading', { name: 'Dashboard' }).waitFor();
  });

  it('creates an account', async () => {
    await page.getByRole('link', { name: 'Accounts', exact: true }).click();
    await page.getByRole('button', { name: 'New account' }).click();
    await page.getByLabel('Account name').fill('alice');
    await page.getByRole('button', { name: 'Make the account' }).click();
    memberPassword =
      (await page.locator('.secret', { hasText: 'One-time password' }).locator('code').textContent())?.trim() ?? '';
    expect(memberPassword).not.toBe('');
    await picture(page, 'new-account');
    await page.getByRole('button', { name: 'I have them' }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  });

  it('makes a Django site from the quickstart and opens it', async () => {
    await signIn('alice', memberPassword);
    await page.getByLabel('One-time password', { exact: true }).fill(memberPassword);
    await page.getByLabel('New password', { exact: true }).fill('another long pass phrase');
    await page.getByLabel('New password again').fill('another long pass phrase');
    await page.getByRole('button', { name: 'Set the password' }).click();
    await page.getByRole('link', { name: 'Web', exact: true }).click();
    await page.getByRole('link', { name: 'New site' }).first().click();
    await page.getByRole('radio', { name: /Django/ }).check();
    await page.getByRole('button', { name: 'Make the site' }).click();
    await page.getByRole('heading', { name: 'alice.localhost' }).waitFor();
    await picture(page, 'web-page');
    const site = await page.context().newPage();
    await site.goto(`https://alice.localhost:${platform.httpsPort}/`);
    await expect.poll(async () => await site.textContent('body'), { timeout: 90_000 }).toContain('Django');
    await picture(site, 'django-quickstart');
    await site.close();
  });

  it('edits the view in the browser, reloads and sees the change', async () => {
    await page.goto(at('/edit/home/alice/mysite/welcome/views.py'));
    const editor = page.locator('.cm-content');
    await editor.click();
    await page.keyboard.press('Control+a');
    await page.keyboard.insertText(
      'from django.http import HttpResponse\n\n\ndef index(request):\n    return HttpResponse("Edited in the browser")\n',
    );
    await picture(page, 'editor');
    await page.getByRole('button', { name: /Save and reload/ }).click();
    await page.getByText('alice.localhost is reloaded.').first().waitFor();
    const site = await page.context().newPage();
    await site.goto(`https://alice.localhost:${platform.httpsPort}/`);
    await expect
      .poll(async () => await site.textContent('body'), { timeout: 60_000 })
      .toContain('Edited in the browser');
    await site.close();
  });

  it('finds the files, also on a phone', async () => {
    await page.goto(at('/files/home/alice'));
    await page.getByRole('link', { name: 'mysite' }).first().waitFor();
    await picture(page, 'files');
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(at('/'));
    await page.getByRole('heading', { name: 'Hello, alice' }).waitFor();
    await picture(page, 'phone');
    await page.setViewportSize({ width: 1360, height: 850 });
  });

  it('shows the operator what runs', async () => {
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await signIn('operator', 'a long enough pass phrase');
    await page.getByRole('heading', { name: 'Dashboard' }).waitFor();
    await page.getByText('1 account').first().waitFor();
    await picture(page, 'operator-dashboard');
  });
});
