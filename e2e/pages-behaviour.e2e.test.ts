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
  context = await standIn.browser.newContext({ baseURL: standIn.address, reducedMotion: 'reduce' });
  page = await context.newPage();
});
afterEach(async () => {
  await context?.close();
});

async function start(scenario: string, path: string, on: Page = page): Promise<void> {
  await standIn.scenario(scenario);
  await on.goto(path);
  await on.getByRole('heading').first().waitFor();
}

/** Something that is not this page writes a file: a program, or another computer. */
async function writeElsewhere(path: string, text: string): Promise<void> {
  const session = (await (await fetch(`${standIn.address}/api/holdfast/session`)).json()) as { csrfToken: string };
  const answer = await fetch(`${standIn.address}/api/holdfast/files/content?path=${encodeURIComponent(path)}`, {
    method: 'PUT',
    headers: { 'x-csrf-token': session.csrfToken },
    body: text,
  });
  expect(answer.status).toBe(200);
}

async function readElsewhere(path: string): Promise<string> {
  return await (await fetch(`${standIn.address}/api/holdfast/files/content?path=${encodeURIComponent(path)}`)).text();
}

describe('the editor', () => {
  const FILE = '/home/alice/mysite/flask_app.py';
  const typed = async (on: Page, text: string): Promise<void> => {
    const content = on.getByLabel('Content of flask_app.py');
    await content.press('Control+End');
    await content.pressSequentially(text);
    await on.getByText('Not saved yet').waitFor();
  };

  it('saves nothing over what another tab has saved meanwhile, shows both and asks', async () => {
    await start('busy', `/edit${FILE}`);
    const other = await context.newPage();
    await other.goto(`/edit${FILE}`);
    await typed(page, '# mine');
    await typed(other, '# theirs');
    await other
      .getByRole('button', { name: 'Save', exact: true })
      .or(other.getByRole('button', { name: 'Save and reload site' }))
      .first()
      .click();
    await other.getByText('Not saved yet').waitFor({ state: 'detached' });

    await page.keyboard.press('Control+s');
    const dialog = page.getByRole('dialog', { name: 'flask_app.py is not what you opened' });
    await dialog.waitFor();
    expect(await readElsewhere(FILE)).toContain('# theirs');
    await dialog.getByRole('button', { name: 'Compare' }).click();
    const compared = dialog.getByLabel('Your flask_app.py beside the saved one');
    await compared.waitFor();
    expect(await compared.locator('.cm-deletedChunk').innerText()).toContain('# theirs');
    expect(await compared.locator('.cm-changedLine').innerText()).toContain('# mine');
    await dialog.getByRole('button', { name: 'Take theirs' }).click();
    await dialog.waitFor({ state: 'detached' });
    expect(await page.getByLabel('Content of flask_app.py').innerText()).toContain('# theirs');

    // And the other way round.
    await writeElsewhere(FILE, 'print("from a program")\n');
    await typed(page, '# mine again');
    await page.keyboard.press('Control+s');
    await dialog.waitFor();
    await dialog.getByRole('button', { name: 'Keep mine' }).click();
    await dialog.waitFor({ state: 'detached' });
    expect(await readElsewhere(FILE)).toContain('# mine again');
  });

  it('makes a new file only where there is none', async () => {
    await start('busy', '/files');
    await page.getByRole('button', { name: 'New file' }).click();
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('fresh.txt');
    await writeElsewhere('/home/alice/fresh.txt', 'precious');
    await page.getByRole('button', { name: 'Make and edit' }).click();
    await page.getByRole('dialog').getByRole('alert').waitFor();
    expect(await readElsewhere('/home/alice/fresh.txt')).toBe('precious');
  });
});

describe('a form', () => {
  it('keeps its unsaved settings when another part of the site is clicked', async () => {
    await start('busy', '/web');
    await page
      .getByRole('link', { name: /^alice\.localhost/ })
      .first()
      .click();
    const parts = page.getByRole('navigation', { name: 'Parts of the site' });
    await parts.getByRole('link', { name: 'Code' }).click();
    const field = page.getByLabel('Working directory');
    await field.fill('/home/alice/elsewhere');
    await parts.getByRole('link', { name: 'Logs' }).click();
    const dialog = page.getByRole('dialog', { name: 'Leave without saving?' });
    await dialog.getByRole('button', { name: 'Stay' }).click();
    await dialog.waitFor({ state: 'detached' });
    expect(await field.inputValue()).toBe('/home/alice/elsewhere');
    await parts.getByRole('link', { name: 'Logs' }).click();
    await dialog.getByRole('button', { name: 'Save and leave' }).click();
    await page.waitForURL(/\/logs$/);
    await parts.getByRole('link', { name: 'Code' }).click();
    expect(await field.inputValue()).toBe('/home/alice/elsewhere');
  });

  it('for a new site stays as it was while the site is made', async () => {
    await start('empty', '/web/new');
    let answer: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (answer = resolve));
    await page.route('**/api/holdfast/sites', async (route) => {
      if (route.request().method() !== 'POST') return await route.continue();
      const response = await route.fetch();
      await held;
      await route.fulfill({ response });
    });
    await page.getByRole('radio', { name: /Flask/ }).check();
    await page.getByRole('button', { name: 'Make the site' }).click();
    await page.getByRole('button', { name: 'Making the site' }).waitFor();
    // The live stream has told of the site: the dashboard behind the form knows it.
    await page.waitForFunction(async () => {
      const dashboard = (await (await fetch('/api/holdfast/dashboard')).json()) as { account: { sites: unknown[] } };
      return dashboard.account.sites.length === 1;
    });
    await page.evaluate(() => globalThis.dispatchEvent(new Event('visibilitychange')));
    await expect(page.getByRole('alert').waitFor({ timeout: 2_000 })).rejects.toThrow(/Timeout/);
    expect(await page.getByRole('radio').first().isChecked()).toBe(true);
    answer();
    await page.waitForURL(/\/web\/[0-9a-f]{12}$/);
  });

  it('for a new plan begins with limits under which sites run, and refuses those under which none does', async () => {
    await start('operator', '/settings');
    await page.getByRole('button', { name: 'New plan' }).click();
    const dialog = page.getByRole('dialog', { name: 'New plan' });
    await dialog.getByLabel('Name', { exact: true }).fill('school');
    const value = async (label: string): Promise<number> => Number(await dialog.getByLabel(label).inputValue());
    expect(await value('Processes per program')).toBeGreaterThanOrEqual(64);
    expect(await value('Longest request, seconds')).toBeGreaterThanOrEqual(60);
    await dialog.getByLabel('Processes per program').fill('1');
    await dialog.getByRole('alert').waitFor();
    expect(await dialog.getByRole('button', { name: 'Save the plan' }).isDisabled()).toBe(true);
  });
});

describe('what is told', () => {
  it('names the plan that was chosen, not the one before', async () => {
    await start('operator', '/accounts');
    await page.getByRole('button', { name: 'Manage alice' }).click();
    const plan = page.getByRole('dialog').getByLabel('Plan');
    const before = await plan.inputValue();
    const wanted = before === 'large' ? 'standard' : 'large';
    await plan.selectOption(wanted);
    await page.getByText(`alice has the plan ${wanted} now.`).waitFor();
  });

  it('once only stays until somebody says that they have it', async () => {
    await start('operator', '/accounts');
    await page.getByRole('button', { name: 'New account' }).click();
    await page.getByLabel('Account name').fill('dora');
    await page.getByRole('button', { name: 'Make the account' }).click();
    const secret = page.getByText('otter-lamp-quiet-42');
    await secret.waitFor();
    for (let times = 0; times < 3; times += 1) await page.keyboard.press('Escape');
    await page.mouse.click(5, 5);
    expect(await secret.isVisible()).toBe(true);
    await page.getByRole('button', { name: 'I have them' }).click();
    await secret.waitFor({ state: 'detached' });
  });

  it('about a new token is not lost by leaving the page', async () => {
    await start('busy', '/account');
    await page.getByRole('button', { name: 'Make a token' }).click();
    await page.getByText('Copy it now').waitFor();
    // The lines for a client have it, too, while it is in sight.
    expect(await page.getByLabel('Settings of a client').innerText()).toContain(`API_TOKEN="${'0f3a'.repeat(10)}"`);
    await page.getByRole('link', { name: 'Web', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: 'Leave without saving?' });
    await dialog.getByRole('button', { name: 'Stay' }).click();
    expect(await page.getByText('Copy it now').isVisible()).toBe(true);
  });
});

describe('the Files page', () => {
  it('counts while it deletes many, and stops when asked to', async () => {
    await start('busy', '/files/home/alice/mysite');
    const names = Array.from({ length: 30 }, (_, index) => `many-${String(index).padStart(2, '0')}.txt`);
    for (const name of names) await writeElsewhere(`/home/alice/mysite/${name}`, 'x');
    let answered = 0;
    let go: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (go = resolve));
    await page.route('**/api/holdfast/files?path=*', async (route) => {
      if (route.request().method() !== 'DELETE') return await route.continue();
      if (answered >= 10) await held;
      answered += 1;
      await route.continue();
    });
    await page.getByLabel('Show only names that contain').fill('many-');
    await page.getByLabel(`Select ${names[29]}`).waitFor();
    await page.getByLabel(/^Select (?:all|every)/i).check();
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: 'Delete 30 entries?' });
    await dialog.getByRole('button', { name: 'Delete', exact: true }).click();
    await dialog.getByText('Deleted 10 of 30').waitFor();
    await page.keyboard.press('Escape');
    expect(await dialog.isVisible()).toBe(true);
    await dialog.getByRole('button', { name: 'Stop' }).click();
    go();
    await dialog.waitFor({ state: 'detached' });
    // The four that were under way are counted, the others are still there.
    await page.getByText('14 entries deleted.').waitFor();
    await page.getByText('16 entries selected').waitFor();
  });

  it('shows what a program has written without being loaded again', async () => {
    await start('busy', '/files');
    await page.getByLabel('Select customers 2026.csv').waitFor();
    await writeElsewhere('/home/alice/report.txt', 'done');
    await page.getByLabel('Select report.txt').waitFor();
  });
});

describe('on a phone', () => {
  it('all parts of a site can be seen', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await start('busy', '/web');
    await page
      .getByRole('link', { name: /^alice\.localhost/ })
      .first()
      .click();
    const links = page.getByRole('navigation', { name: 'Parts of the site' }).getByRole('link');
    await links.first().waitFor();
    for (const link of await links.all()) {
      const box = await link.boundingBox();
      expect(box).not.toBeNull();
      if (box !== null) expect([box.x >= 0, box.x + box.width <= 390]).toEqual([true, true]);
    }
  });
});

describe('addresses', () => {
  it('that nothing has answer 404, with the page around it', async () => {
    await standIn.scenario('busy');
    const answer = await page.goto('/nowhere');
    expect(answer?.status()).toBe(404);
    await page.getByRole('heading', { level: 1, name: 'There is no such page' }).waitFor();
  });

  it.each([
    ['/user/alice/webapps/', /\/web$/],
    ['/user/alice/webapps/#tab_id_alice_localhost', /\/web\/[0-9a-f]{12}$/],
    ['/user/alice/files/home/alice/', /\/files\/home\/alice\/?$/],
    ['/user/alice/account/', /\/account$/],
  ])("of PythonAnywhere's pages lead to ours: %s", async (from, to) => {
    await standIn.scenario('busy');
    const answer = await page.goto(from);
    expect(answer?.status()).toBe(200);
    await page.waitForURL(to);
    await page.getByRole('heading', { level: 1 }).waitFor();
  });
});
