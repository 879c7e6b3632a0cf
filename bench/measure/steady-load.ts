import { Agent } from 'node:http';
import { send, type Target } from './http.ts';

export interface SteadyResult {
  sent: number;
  /** What went wrong with those that did not come back as 200, in words. */
  failures: string[];
  /** Milliseconds from the moment a request was due until its answer was whole. */
  latencies: number[];
}

const TICK_MS = 5;

/**
 * Requests at a fixed rate, whatever the answers do: a stall counts for every request that was due during it. Every second
 * one goes over a connection that is kept, the others over new ones.
 */
export class SteadyLoad {
  readonly #target: Target;
  readonly #perSecond: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #underWay = new Set<Promise<void>>();
  readonly #latencies: number[] = [];
  readonly #failures: string[] = [];
  #sent = 0;
  #began = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(target: Target, perSecond: number) {
    this.#target = target;
    this.#perSecond = perSecond;
  }

  start(): void {
    this.#began = performance.now();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    const now = performance.now();
    for (;;) {
      const due = this.#began + (this.#sent * 1000) / this.#perSecond;
      if (due > now) return;
      this.#sent += 1;
      const one = this.#one(due, this.#sent % 2 === 0).finally(() => this.#underWay.delete(one));
      this.#underWay.add(one);
    }
  }

  async #one(due: number, kept: boolean): Promise<void> {
    try {
      const answer = await send(this.#target, '/', { deadlineMs: 30_000, ...(kept ? { agent: this.#agent } : {}) });
      if (answer.status === 200) this.#latencies.push(performance.now() - due);
      else this.#failures.push(`status ${answer.status}`);
    } catch (error) {
      this.#failures.push(error instanceof Error ? error.message : String(error));
    }
  }

  /** Sends no more, waits for the answers still due. */
  async stop(): Promise<SteadyResult> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
    this.#agent.destroy();
    return { sent: this.#sent, failures: this.#failures, latencies: this.#latencies };
  }
}
