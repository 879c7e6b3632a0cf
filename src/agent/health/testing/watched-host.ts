import type { AgentEventBody } from '../../../protocol/agent.ts';
import type { Trouble } from '../../../protocol/health.ts';
import { until } from '../../../runtime/deadline.ts';
import type { HealthPart } from '../../context.ts';
import { StorageHost } from '../../volumes/testing/host.ts';
import { createHealth } from '../health.ts';

/** A host in a test whose real volumes are watched and repaired by the real watcher and reaction. */
export class WatchedHost extends StorageHost {
  health: HealthPart | undefined;
  readonly events: AgentEventBody[] = [];

  async watch(environment: NodeJS.ProcessEnv = {}): Promise<void> {
    const context = { ...this.context, emit: (event: AgentEventBody) => void this.events.push(event) };
    this.health = createHealth(context, { storage: this.storage }, environment);
    await this.health.start();
    await until(async () => (await this.now()).condition === 'healthy', 'the watcher seeing a healthy host', 30_000);
  }

  async now(): ReturnType<HealthPart['handlers']['health.now']> {
    if (this.health === undefined) throw new Error('nobody watches yet');
    return await this.health.handlers['health.now']({});
  }

  troubles(): readonly Trouble[] {
    return this.health?.troubles() ?? [];
  }

  open(): readonly Trouble[] {
    return this.troubles().filter((trouble) => trouble.state === 'open');
  }

  /** Waits for a trouble of this disk. */
  async named(volume: string, replica: string): Promise<Trouble> {
    let found: Trouble | undefined;
    await until(
      () => {
        found = this.troubles().find(({ key }) => key === `disk:${volume}:${replica}`);
        return found !== undefined;
      },
      `a trouble of the disk ${replica} of ${volume}`,
      90_000,
    );
    if (found === undefined) throw new Error('unreachable');
    return found;
  }

  /** Waits until every trouble is over and every volume has full redundancy. */
  async repaired(): Promise<void> {
    await until(
      () => this.open().length === 0 && this.storage.statuses().every((one) => one.redundancy === 'full'),
      'every trouble being over and redundancy being full',
      120_000,
    ).catch((error: unknown) => {
      throw new Error(JSON.stringify([this.open(), this.storage.statuses()], null, 1), { cause: error });
    });
  }

  override async dispose(): Promise<void> {
    await this.health?.stop();
    await super.dispose();
  }
}
