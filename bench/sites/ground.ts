import { join } from 'node:path';
import { freePort, type Platform } from '../../e2e/platform.ts';
import { APPS, Baseline, PAIR_PLAN, type App } from '../baseline/baseline.ts';
import type { Target } from '../measure/http.ts';
import type { Figure } from '../measure/figures.ts';
import { Calm } from '../measure/calm.ts';
import { allProcesses, descendants } from '../measure/memory.ts';
import type { OwnProcess } from '../measure/processes.ts';
import { inParallel, type Members, type MemberSite } from './members.ts';

/** The same application on both sides, awake. */
export interface Pair {
  app: App;
  site: MemberSite;
  /** uWSGI of the hand-written side. */
  bare: OwnProcess;
  platform(secure: boolean): Target;
  baseline(secure: boolean): Target;
  /** Processes that serve a request on each side: nginx and the application server. */
  serving(side: 'platform' | 'baseline'): number[];
}

/** One group of figures. */
export interface Measurement {
  name: string;
  title: string;
  run(ground: Ground): Promise<Figure[]>;
}

/** What all measurements share: one platform, one hand-written side, and the members made so far. */
export class Ground implements AsyncDisposable {
  readonly platform: Platform;
  readonly members: Members;
  readonly baseline: Baseline;
  readonly quick: boolean;
  readonly say: (line: string) => void;
  /** Everything that was measured, for the JSON file. */
  readonly raw: Record<string, unknown> = {};
  /** Asked before each round of a comparison. */
  readonly calm: Calm;
  #pairs: Promise<Pair[]> | undefined;
  readonly #flaskSites: MemberSite[] = [];

  constructor(options: { platform: Platform; members: Members; quick: boolean; say: (line: string) => void }) {
    this.platform = options.platform;
    this.members = options.members;
    this.quick = options.quick;
    this.say = options.say;
    this.calm = new Calm(options.quick ? 20_000 : 600_000);
    this.baseline = new Baseline(join(options.platform.home, 'baseline'), options.platform.configuration.instance);
  }

  /** Flask and Django behind the platform and behind hand-written nginx + uWSGI, both with the same number of workers. */
  async pairs(): Promise<Pair[]> {
    this.#pairs ??= this.#makePairs();
    return await this.#pairs;
  }

  async #makePairs(): Promise<Pair[]> {
    const { members, baseline } = this;
    await baseline.prepare();
    const ports = { http: await freePort(), https: await freePort() };
    const made: { app: App; site: MemberSite; bare: OwnProcess; socket: string }[] = [];
    for (const app of APPS) {
      const site = await members.createSite(await members.create(`pair${app}`, PAIR_PLAN), app);
      const { process: bare, socket } = await baseline.uwsgi(app, app, site.workers, 'socket');
      made.push({ app, site, bare, socket });
    }
    const front = await baseline.nginx(
      ports,
      made.map(({ site, socket }) => ({ domain: site.domain, socket })),
    );
    const pairs = made.map(({ app, site, bare }): Pair => ({
      app,
      site,
      bare,
      platform: (secure) => members.site(site.domain, secure),
      baseline: (secure) => ({ at: { port: secure ? ports.https : ports.http, secure }, host: site.domain }),
      serving: (side) => {
        const all = allProcesses();
        const of =
          side === 'platform'
            ? [...descendants(this.platform.pidOf('nginx'), all), ...members.siteProcesses(site)]
            : [...descendants(front.pid, all), ...descendants(bare.pid, all)];
        return of.map((entry) => entry.pid);
      },
    }));
    for (const pair of pairs) await baseline.answers(pair.app, pair.baseline(false));
    return pairs;
  }

  /** At least this many sleeping Flask sites of as many members on the smallest plan; exactly that many are returned. */
  async flaskSites(count: number): Promise<MemberSite[]> {
    const missing = Array.from(
      { length: Math.max(0, count - this.#flaskSites.length) },
      (_, index) => this.#flaskSites.length + index,
    );
    if (missing.length > 0) this.say(`  making ${missing.length} members with a Flask site each`);
    const made = await inParallel(missing, 4, async (number) => {
      const member = await this.members.create(`flask${number}`, 'starter');
      return await this.members.createSite(member, 'flask');
    });
    this.#flaskSites.push(...made);
    return this.#flaskSites.slice(0, count);
  }

  /** All members made for sites so far. */
  get sites(): readonly MemberSite[] {
    return this.#flaskSites;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.baseline[Symbol.asyncDispose]();
  }
}
