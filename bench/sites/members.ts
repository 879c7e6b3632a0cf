import { Agent } from 'node:https';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Platform } from '../../e2e/platform.ts';
import { wsgiFileName } from '../../src/model/names.ts';
import type { ApiAnswer, ApiArguments } from '../../src/protocol/api.ts';
import type { ApiName } from '../../src/protocol/api/addresses.ts';
import { readAnswer } from '../../src/protocol/api/answer.ts';
import { apiRequest, buildApiRequest, streamRequest } from '../../src/protocol/api/request.ts';
import { readIdentity } from '../../src/runtime/identity.ts';
import { RpcClient } from '../../src/runtime/rpc-client.ts';
import { APPS_DIRECTORY, type App } from '../baseline/baseline.ts';
import { mustSend, type SendOptions, type Target, type TimedAnswer } from '../measure/http.ts';
import { allProcesses, type ProcessFacts } from '../measure/memory.ts';

export interface Member {
  username: string;
  api_token: string;
}

export interface MemberSite {
  id: string;
  domain: string;
  workers: number;
  member: Member;
}

const FLASK_FILES = ['flask_app.py'];
const DJANGO_FILES = ['__init__.py', 'settings.py', 'urls.py', 'views.py', 'wsgi.py'].map(
  (name) => `djangosite/${name}`,
);

/** Runs `work` over the items, at most `parallel` at a time. */
export async function inParallel<T, R>(
  items: readonly T[],
  parallel: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) results[index] = await work(items[index] as T);
  };
  await Promise.all(Array.from({ length: Math.min(parallel, items.length) }, lane));
  return results;
}

/** Members and their sites on the platform that is measured, made the way members and operators make them. */
export class Members implements Disposable {
  readonly #platform: Platform;
  #agent = new Agent({ keepAlive: true, maxSockets: 16 });
  #rpc: RpcClient | undefined;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** The platform's own address. */
  get front(): Target {
    return { at: { port: this.#platform.httpsPort, secure: true }, host: 'localhost' };
  }

  site(domain: string, secure = false): Target {
    return { at: { port: secure ? this.#platform.httpsPort : this.#platform.httpPort, secure }, host: domain };
  }

  /** A call with the operator's rights, over the control plane's socket as the holdfast command makes it. */
  async operator<N extends ApiName>(name: N, ...[input]: ApiArguments<N>): Promise<ApiAnswer<N>> {
    const { method, path, body } = buildApiRequest(name, input);
    const { layout } = this.#platform;
    const token = readFileSync(join(layout.control, 'operator-token'), 'utf8').trim();
    const target: Target = { at: { socketPath: layout.controlSocket }, host: 'localhost' };
    const answer = await mustSend(target, path, {
      method,
      headers: {
        authorization: `Token ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
    });
    return readAnswer(name, answer.status, answer.text === '' ? undefined : JSON.parse(answer.text));
  }

  /**
   * A call with a member's token, over HTTPS through the gateway, on a new connection: nginx closes idle ones whenever a
   * site comes or goes, and a request that meets that has to be sent again.
   */
  async call(member: Member, path: string, options: SendOptions = {}): Promise<TimedAnswer> {
    return await mustSend(this.front, path, {
      ...options,
      headers: { authorization: `Token ${member.api_token}`, ...options.headers },
    });
  }

  /** The same on a connection that is kept, as a browser or a client's session does it. Milliseconds. */
  async timedGet(member: Member, path: string): Promise<number> {
    return (await this.call(member, path, { agent: this.#agent })).milliseconds;
  }

  async create(name: string, plan: string): Promise<Member> {
    return await this.operator('accounts.create', { body: { username: name, plan } });
  }

  async writeFile(member: Member, path: string, content: string | Buffer): Promise<void> {
    const request = streamRequest('files.write', { query: { path } });
    await this.call(member, request.path, {
      method: request.method,
      headers: { 'content-type': 'application/octet-stream' },
      body: content,
    });
  }

  /** A site of the member's own at `<name>.localhost` that serves the benchmark's application, as a member lays one out. */
  async createSite(member: Member, app: App): Promise<MemberSite> {
    const domain = `${member.username}.localhost`;
    const directory = `/home/${member.username}/app`;
    const { method, path, body } = apiRequest('sites.create', { body: { domain, quickstart: 'manual' } });
    const answer = await this.call(member, path, { method, headers: { 'content-type': 'application/json' }, body });
    const view = readAnswer('sites.create', answer.status, JSON.parse(answer.text));
    for (const file of app === 'flask' ? FLASK_FILES : DJANGO_FILES) {
      await this.writeFile(member, `${directory}/${file}`, readFileSync(join(APPS_DIRECTORY, file)));
    }
    const from =
      app === 'flask' ? 'from flask_app import app as application' : 'from djangosite.wsgi import application';
    const code = `import sys\n\nsys.path.insert(0, "${directory}")\n${from}\n`;
    await this.writeFile(member, `/var/www/${wsgiFileName(domain)}`, code);
    return { id: view.id, domain, workers: view.workers, member };
  }

  async reload(site: MemberSite): Promise<void> {
    const { method, path } = apiRequest('sites.reload', { params: { id: site.id } });
    await this.call(site.member, path, { method });
  }

  /** Puts the site to sleep now, as the agent does by itself after the plan's idle time. */
  async sleep(site: MemberSite): Promise<void> {
    this.#rpc ??= new RpcClient(
      { socketPath: this.#platform.layout.agentSocket },
      readIdentity(this.#platform.layout.control),
    );
    const status = await this.#rpc.call('sites.sleep', { id: site.id });
    if (status.state !== 'asleep') throw new Error(`${site.domain} did not go to sleep: it is ${status.state}.`);
  }

  /** Processes of all sites of this platform, or of one: those in the cgroup of a generation. */
  siteProcesses(site?: MemberSite): ProcessFacts[] {
    const mark = `/holdfast/${this.#platform.configuration.instance}/`;
    const group = new RegExp(`/site-${site?.id ?? '[0-9a-f]{12}'}-\\d+$`);
    return allProcesses().filter((entry) =>
      entry.cgroup.split('\n').some((line) => line.includes(mark) && group.test(line)),
    );
  }

  /** Connections to a platform that is restarted are of no use afterwards. */
  forgetConnections(): void {
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true, maxSockets: 16 });
    this.#rpc?.close();
    this.#rpc = undefined;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
    this.#rpc?.close();
  }
}
