import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { renderAlive, renderStatusFiles, STATUS_ALIVE, type StatusFacts } from '../../model/status-page.ts';
import { answersHttp, GATEWAY_ALIVE_PATH } from '../../runtime/alive.ts';
import { idsOf, layoutOf, type Configuration } from '../../runtime/config.ts';
import { writeWhole } from '../../runtime/whole-file.ts';

const EVERY_MS = 2_000;
const GATEWAY_ANSWERS_MS = 1_500;

/**
 * Keeps the public status page true while the agent, who writes it, does not answer: from what the agent last knew, marked with when that was,
 * and from what the supervisor sees itself (whether the gateway and the control plane answer).
 */
export class StandInStatus {
  readonly #configuration: Configuration;
  readonly #say: (line: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #writing = false;

  constructor(configuration: Configuration, say: (line: string) => void) {
    this.#configuration = configuration;
    this.#say = say;
  }

  /** @param since since when the agent has been silent; null: it answers, and writes the page itself again */
  agent(since: string | null, control: () => boolean): void {
    if (since === null) {
      this.stop();
      return;
    }
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => void this.#write(control), EVERY_MS);
    void this.#write(control);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #write(control: () => boolean): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    try {
      const layout = layoutOf(this.#configuration);
      const known = JSON.parse(await readFile(layout.statusFacts, 'utf8')) as StatusFacts;
      const gateway = await answersHttp(
        join(this.#configuration.runDirectory, 'g', 'internal.sock'),
        GATEWAY_ALIVE_PATH,
        GATEWAY_ANSWERS_MS,
      );
      // It came back while we looked: what it writes is newer.
      if (this.#timer === undefined) return;
      const at = new Date().toISOString();
      const { gateway: gid } = idsOf(this.#configuration.instance);
      const files = renderStatusFiles({ ...known, at, gateway, control: control(), watching: 'silent' });
      for (const [name, text] of Object.entries({ ...files, [STATUS_ALIVE]: renderAlive(at, at) }))
        await writeWhole(join(layout.gateway, 'status', name), text, { mode: 0o644, gid, durable: false });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return; // No page has been written yet.
      this.#say(`The status page could not be kept: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      this.#writing = false;
    }
  }
}
