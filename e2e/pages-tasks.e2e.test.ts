import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { StandIn } from './stand-in.ts';

let standIn: StandIn;
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  standIn = await StandIn.start();
});
afterAll(async () => {
  await standIn?.stop();
});
beforeEach(async () => {
  context = await standIn.browser.newContext({
    baseURL: standIn.address,
    reducedMotion: 'reduce',
    timezoneId: 'Europe/Berlin',
  });
  page = await context.newPage();
});
afterEach(async () => {
  await context?.close();
});

async function start(scenario: string, path: string): Promise<void> {
  await standIn.scenario(scenario);
  await page.goto(path);
  await page.getByRole('heading').first().waitFor();
}

describe('scheduled tasks', () => {
  it('are made from the example, run when asked, and show what they wrote', async () => {
    await start('empty', '/');
    await page.getByRole('link', { name: 'Tasks', exact: true }).first().click();
    await page.getByRole('link', { name: 'Try this example' }).first().click();
    expect(await page.getByLabel('Command').inputValue()).toContain('python3 -c');
    expect(await page.getByRole('table', { name: 'The next runs' }).getByRole('row').count()).toBe(6);
    await page.getByRole('button', { name: 'Make the task' }).click();

    await page.waitForURL(/\/tasks\/\d+$/);
    await page.getByText('It has not run yet.').waitFor();
    await page.getByRole('button', { name: 'Run now' }).click();
    const runs = page.getByRole('table', { name: 'Runs' });
    await runs.getByText('running').waitFor();
    // The end comes by the live events.
    await runs.getByText('succeeded').waitFor();
    await page.getByRole('button', { name: 'Show output of run 1' }).click();
    await page.getByLabel('Output of run 1', { exact: true }).getByText('Hello from run 1').waitFor();
  });

  it('can be stopped, and are deleted only when it was said what becomes of a run', async () => {
    await start('tasks', '/tasks');
    const row = page.getByRole('list', { name: 'Scheduled tasks' }).getByRole('listitem').nth(1);
    await row.getByRole('button', { name: /^Delete/ }).click();
    const dialog = page.getByRole('dialog', { name: /^Delete/ });
    expect(await dialog.getByRole('radio', { name: /Leave it/ }).isChecked()).toBe(true);
    await dialog.getByRole('button', { name: 'Keep it' }).click();
    await row.getByRole('button', { name: /^Stop/ }).click();
    await row.getByText('was stopped').waitFor();
    await row.getByRole('button', { name: /^Delete/ }).click();
    expect(await dialog.getByRole('radio').count()).toBe(0);
    const deleted = page.waitForRequest((request) => request.method() === 'DELETE');
    await dialog.getByRole('button', { name: 'Delete the task' }).click();
    expect((await deleted).url()).toContain('running=leave');
    await dialog.waitFor({ state: 'detached' });
    expect(await page.getByRole('list', { name: 'Scheduled tasks' }).getByRole('listitem').count()).toBe(2);
  });

  it('say what is wrong with a line while it is typed, and when it runs in both zones', async () => {
    await start('empty', '/tasks/new');
    await page.getByRole('radio', { name: /A cron line/ }).check();
    const zone = page.getByRole('combobox', { name: 'Time zone' });
    expect(await zone.inputValue()).toBe('Europe/Berlin');
    const line = page.getByRole('textbox', { name: 'Cron line' });
    await line.fill('0 22-2 * * *');
    await page.getByRole('alert').getByText('22-23').waitFor();
    await line.fill('0 6 * * MON-FRI');
    await page.getByRole('columnheader', { name: 'Europe/Berlin' }).waitFor();
    await zone.fill('Berlin');
    await page.getByRole('alert').getByText('Write Europe/Berlin').waitFor();
    await zone.fill('UTC');
    await page.getByRole('table', { name: 'The next runs' }).waitFor();
    expect(await page.getByRole('columnheader').count()).toBe(1);
  });

  it('that failed show their last lines unasked', async () => {
    await start('tasks-failing', '/tasks/1');
    await page.getByRole('heading', { name: 'The last run failed with code 1' }).waitFor();
    await page.getByText("KeyError: 'REPORT_TO'").waitFor();
  });

  it('keep what was typed when somebody leaves the form', async () => {
    await start('tasks', '/tasks/1/edit');
    await page.getByLabel('Description').fill('Backup of the shop');
    await page.getByRole('link', { name: 'Runs', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Save and leave' }).click();
    await page.getByRole('heading', { level: 1, name: 'Backup of the shop' }).waitFor();
  });
});

describe('always-on tasks', () => {
  it('are paused and resumed', async () => {
    await start('tasks', '/tasks');
    const row = page.getByRole('list', { name: 'Always-on tasks' }).getByRole('listitem').first();
    await row.getByRole('button', { name: /^Pause/ }).click();
    await row.getByText('paused', { exact: true }).waitFor();
    await row.getByRole('button', { name: /^Resume/ }).click();
    await row.getByText('starting', { exact: true }).waitFor();
  });

  it('are not green while the host does not answer', async () => {
    await start('tasks', '/tasks');
    await page.locator('.badge-good').first().waitFor();
    await standIn.scenario('tasks-silent');
    await page.getByText('was running').first().waitFor();
    expect(await page.locator('.badge-good').count()).toBe(0);
  });
});
