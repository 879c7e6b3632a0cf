import type { HostHealth } from '../../protocol/health.ts';
import { within } from '../../runtime/deadline.ts';
import type { Logger } from '../../runtime/log.ts';
import type { AgentClient } from '../agent-client.ts';

/** However many ask, the host is asked at most this often. */
export const HEALTH_EVERY_MS = 1_000;
/** The agent answers from memory; a page does not wait longer for one that does not. */
const ANSWER_MS = 2_000;

/** How the host's storage is right now, at most a second old. */
export class HealthSource {
  readonly #agent: AgentClient;
  readonly #log: Logger;
  #asked: { at: number; answer: Promise<HostHealth | null> } | undefined;
  #failing = false;

  constructor(parts: { agent: AgentClient; log: Logger }) {
    this.#agent = parts.agent;
    this.#log = parts.log;
  }

  /** Null when the host does not say. Never throws, never waits for long. */
  now(): Promise<HostHealth | null> {
    const at = performance.now();
    if (this.#asked && at - this.#asked.at < HEALTH_EVERY_MS) return this.#asked.answer;
    const answer = this.#ask();
    this.#asked = { at, answer };
    return answer;
  }

  /** What was asked before is out of date: the next question goes to the host. */
  forget(): void {
    this.#asked = undefined;
  }

  async #ask(): Promise<HostHealth | null> {
    try {
      const health = await within(ANSWER_MS, "Asking for the host's health", this.#agent.call('health.now', {}));
      this.#failing = false;
      return health;
    } catch (error) {
      // Once: it is asked every second while somebody looks.
      if (!this.#failing) this.#log.warn({ err: error }, 'the host does not say how it is');
      this.#failing = true;
      return null;
    }
  }
}
