import axe from 'axe-core';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SHOTS } from '../web/dev/screenshots.ts';
import { StandIn } from './stand-in.ts';

const LOOKS = [
  { name: 'wide and light', colorScheme: 'light', viewport: { width: 1440, height: 900 }, rules: undefined, most: 4 },
  {
    name: 'on a phone and dark',
    colorScheme: 'dark',
    viewport: { width: 390, height: 844 },
    // What depends on colours and room; everything else is the same page.
    rules: ['color-contrast', 'link-in-text-block', 'scrollable-region-focusable'],
    most: 1,
  },
] as const;

/**
 * The first pages of each kind: the name up to its first hyphen is the kind, and what follows in the workshop are more states of the same page.
 * All of them in both looks would take ten minutes.
 */
function firstOfEach(most: number): typeof SHOTS {
  const seen = new Map<string, number>();
  return SHOTS.filter(({ name }) => {
    const kind = name.split('-')[0] ?? name;
    seen.set(kind, (seen.get(kind) ?? 0) + 1);
    return (seen.get(kind) ?? 0) <= most;
  });
}

let standIn: StandIn;
beforeAll(async () => {
  standIn = await StandIn.start();
});
afterAll(async () => {
  await standIn?.stop();
});

/** What axe finds, one line for each element: the rule, the element, and what is wrong with it. */
async function findings(page: Page, rules: readonly string[] | undefined): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = await page.evaluate(
    async (only) =>
      await (globalThis as unknown as { axe: typeof axe }).axe.run(document, {
        resultTypes: ['violations'],
        preload: false,
        ...(only === undefined ? {} : { runOnly: [...only] }),
      }),
    rules,
  );
  return found.violations.flatMap((rule) =>
    rule.nodes.map(
      (node) => `${rule.id}: ${node.target.join(' ')} ${node.failureSummary?.split('\n')[1]?.trim() ?? ''}`,
    ),
  );
}

/** What holds on every page, whatever it shows. */
async function problemsOf(page: Page, rules: readonly string[] | undefined): Promise<string[]> {
  const shape = await page.evaluate(() => ({
    headings: [...document.querySelectorAll('h1')].filter((heading) => heading.checkVisibility()).length,
    tooWide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    titled: document.title.trim() !== '',
  }));
  return [
    ...(shape.headings === 1 ? [] : [`${shape.headings} headings of the first level`]),
    ...(shape.tooWide > 0 ? [`wider than the screen by ${shape.tooWide} pixels`] : []),
    ...(shape.titled ? [] : ['no title']),
    ...(await findings(page, rules)),
  ];
}

describe.each(LOOKS)('the pages, $name,', ({ colorScheme, viewport, rules, most }) => {
  let context: BrowserContext;
  beforeAll(async () => {
    context = await standIn.browser.newContext({
      colorScheme,
      viewport: { ...viewport },
      reducedMotion: 'reduce',
      baseURL: standIn.address,
    });
  });
  afterAll(async () => {
    await context?.close();
  });

  it.each(firstOfEach(most).map((shot) => [shot.name, shot] as const))(
    'can be used by everybody: %s',
    async (_name, shot) => {
      await standIn.scenario(shot.scenario);
      const page = await context.newPage();
      const errors: string[] = [];
      page.on('console', (message) => {
        // The stand-in's own refusals are part of some pages.
        if (message.type() === 'error' && !/status of (?:4\d\d|50[23])/.test(message.text()))
          errors.push(message.text());
      });
      page.on('pageerror', (error) => errors.push(error.message));
      try {
        await page.goto(shot.path);
        await page.getByRole('heading').first().waitFor();
        await page.waitForFunction(() => document.querySelector('.skeleton') === null);
        await shot.act?.(page);
        await page.waitForFunction(() => document.querySelector('.skeleton') === null);
        expect([...errors, ...(await problemsOf(page, rules))]).toEqual([]);
      } finally {
        await page.close();
      }
    },
  );
});
