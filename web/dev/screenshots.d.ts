import { type Page } from 'playwright-core';
export interface Shot {
  name: string;
  scenario: string;
  path: string;
  /** Something to do before the picture is taken. */
  act?: (page: Page) => Promise<void>;
}
/** Every page in every state worth a look; the test of the pages walks over them, too. */
export declare const SHOTS: readonly Shot[];
